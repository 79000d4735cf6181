// Word, position and block position embeddings (GLM paper, section 2.1, "2D positional encoding"), in one
// pass:
//
//   forward    out[i] = dropout(words[ids[i]] + position_table[positions[i]] +
//                               block_table[block_positions[i]])
//   backward   g = dropout(grad_out[i]);  grad_words[ids[i]] += g, and likewise for the two position tables
//
// Ids from V on are trained prompts, whose rows, prompts[ids[i] - V], stand for words.
//
// out, grad_out [N, h] in the activation type; words [V, h], tables [P, h] in the weight type; prompts and
// table gradients float32. Work: 3 N h additions. Memory traffic: forward reads three rows and writes one per
// token; backward reads grad_out once and reads and writes three rows per token, of which the position
// tables' stay in the cache.
//
// Several tokens add to one row. So that no bit depends on the number of threads, a piece of the backward is
// a range of columns, and goes through all tokens in order.

#include "cpu/dropout.h"
#include "cpu/element_type.h"
#include "cpu/kernels.h"

namespace glm::GLM_ISA {
namespace {

constexpr int64_t kColumns = kDropoutBlock;  // at a time: the draws of one block where h is a multiple of it

/// The dropout factors of columns [column, column + count) of row `row`
GLM_INLINE void row_factors(const Dropout& dropout, int64_t row, int64_t width, int64_t column, int64_t count,
                            float* factors) {
  dropout_range(dropout, static_cast<uint64_t>(row * width + column), count, factors);
}

/// The row of `table` that token `token` takes, or null without a table
template <class T>
GLM_INLINE T* row_of(T* table, const int32_t* indices, int64_t token, int64_t width) {
  return table == nullptr ? nullptr : table + indices[token] * width;
}

/// The gradient's row of the token's word or prompt, or null where it wants none
GLM_INLINE float* word_gradient(const EmbeddingBackward& p, int64_t token) {
  int64_t id = p.ids[token], prompt = id - p.vocabulary;
  float* table = prompt < 0 ? p.grad_words : p.grad_prompts;
  return table == nullptr ? nullptr : table + (prompt < 0 ? id : prompt) * p.width;
}

template <class T, class W>
void embed_row(const EmbeddingForward& p, int64_t row) {
  int64_t id = p.ids[row], prompt = id - p.vocabulary;
  const W* word = static_cast<const W*>(p.words) + id * p.width;
  const W* position = row_of(static_cast<const W*>(p.position_table), p.positions, row, p.width);
  const W* block = row_of(static_cast<const W*>(p.block_table), p.block_positions, row, p.width);
  T* out = static_cast<T*>(p.out) + row * p.width;

  for (int64_t first = 0; first < p.width; first += kColumns) {
    int64_t count = p.width - first < kColumns ? p.width - first : kColumns;
    float factors[kColumns];
    if (p.dropout.active()) row_factors(p.dropout, row, p.width, first, count, factors);

    for (int64_t j = 0; j < count; j += kLanes) {
      int64_t column = first + j, lanes = count - j;
      Floats sum = prompt < 0 ? load_upto(word + column, lanes)
                              : load_upto(p.prompts + prompt * p.width + column, lanes);
      if (position != nullptr) sum += load_upto(position + column, lanes);
      if (block != nullptr) sum += load_upto(block + column, lanes);
      if (p.dropout.active()) sum *= load_upto(factors + j, lanes);
      store_upto(out + column, sum, lanes);
    }
  }
}

constexpr int64_t kTokensAhead = 6;  // by when a line of the word table has come from memory

/// Asks for the columns of a later token: its gradient and its word's row lie at addresses that the processor
/// cannot foresee.
template <class T>
GLM_INLINE void prefetch_columns(const EmbeddingBackward& p, int64_t token, int64_t column, int64_t count) {
  const T* grad_out = static_cast<const T*>(p.grad_out) + token * p.width + column;
  const float* words = word_gradient(p, token);
  constexpr int64_t kFloatsOfLine = 16;
  for (int64_t j = 0; j < count; j += kFloatsOfLine) {
    __builtin_prefetch(grad_out + j, 0);
    if (words != nullptr) __builtin_prefetch(words + column + j, 1);
  }
}

/// Adds columns [column, column + count) of every token's gradient to the rows that the token was made of.
template <class T>
void add_to_tables(const EmbeddingBackward& p, int64_t column, int64_t count) {
  for (int64_t i = 0; i < p.tokens; i++) {
    if (i + kTokensAhead < p.tokens) prefetch_columns<T>(p, i + kTokensAhead, column, count);
    const T* grad_out = static_cast<const T*>(p.grad_out) + i * p.width + column;
    float factors[kColumns];
    if (p.dropout.active()) row_factors(p.dropout, i, p.width, column, count, factors);
    float* rows[] = {word_gradient(p, i), row_of(p.grad_positions, p.positions, i, p.width),
                     row_of(p.grad_blocks, p.block_positions, i, p.width)};
    for (int64_t j = 0; j < count; j += kLanes) {
      Floats gradient = load_upto(grad_out + j, count - j);
      if (p.dropout.active()) gradient *= load_upto(factors + j, count - j);
      for (float* row : rows) {
        if (row == nullptr) continue;
        float* target = row + column + j;
        store_upto(target, load_upto(target, count - j) + gradient, count - j);
      }
    }
  }
}

}  // namespace

void CpuKernels::run(const EmbeddingForward& p) {
  with_element_type(p.dtype, [&](auto activation) {
    with_weight_type(p.weight_dtype, [&](auto weight) {
      parallel_.ranges(p.tokens, rows_per_piece(p.width), [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; row++) embed_row<decltype(activation), decltype(weight)>(p, row);
      });
    });
  });
}

void CpuKernels::run(const EmbeddingBackward& p) {
  with_element_type(p.dtype, [&](auto activation) {
    parallel_.ranges(p.width, kColumns, [&](int64_t begin, int64_t end) {
      add_to_tables<decltype(activation)>(p, begin, end - begin);
    });
  });
}

size_t CpuKernels::workspace_bytes(const EmbeddingBackward&) const { return 0; }

}  // namespace glm::GLM_ISA
