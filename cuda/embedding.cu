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
// token; backward reads grad_out and up to N rows of gradients once for each table.
//
// Several tokens add to one row: half of a batch to the row of block position 0. For each table the tokens
// are sorted by their row, those of one row in their order, and cut into segments of kSegment; a block sums
// a segment. Rows whose tokens lie inside a segment are done with that. A row whose tokens reach into other
// segments leaves a sum of each, and these are added in order: no atomics, the same bits in every run.

#include "device/dropout.cuh"
#include "device/grid.cuh"
#include "kernels.h"

namespace glm::cuda {
namespace {

constexpr unsigned kMostThreads = 256;

template <class T, class W, int kPack>
__global__ void embed(EmbeddingForward p) {
  int64_t token = blockIdx.x;
  auto row_of = [&](const void* table, const int32_t* indices) {
    return table == nullptr ? nullptr : static_cast<const W*>(table) + indices[token] * p.width;
  };
  int64_t id = p.ids[token], prompt = id - p.vocabulary;
  const W* word = static_cast<const W*>(p.words) + id * p.width;
  const W* position = row_of(p.position_table, p.positions);
  const W* block = row_of(p.block_table, p.block_positions);
  T* out = static_cast<T*>(p.out) + token * p.width;

  for (int64_t j = int64_t{threadIdx.x} * kPack; j < p.width; j += int64_t{blockDim.x} * kPack) {
    Pack<kPack> sum =
        prompt < 0 ? load_pack<kPack>(word + j) : load_pack<kPack>(p.prompts + prompt * p.width + j);
    for (const W* row : {position, block}) {
      if (row == nullptr) continue;
      Pack<kPack> more = load_pack<kPack>(row + j);
      sum = make_pack<kPack>([&](int i) { return sum.x[i] + more.x[i]; });
    }
    drop(p.dropout, static_cast<uint64_t>(token * p.width + j), sum);
    store_pack(out + j, sum);
  }
}

// ---- backward

constexpr int64_t kSegment = 32;
constexpr int kSortThreads = 256;

/// A table that wants a gradient, and which of its rows each token adds to. Behind the words lie the prompts,
/// in a table of their own; either may want none.
struct Table {
  float* gradient;      // [count, h]
  const int32_t* rows;  // [N]
  float* prompts = nullptr;
  int64_t count = INT64_MAX;
};

int64_t segments_of(int64_t tokens) { return (tokens + kSegment - 1) / kSegment; }

/// sorted [N]: the tokens by row. A token's place is the number of tokens before it; all of them are
/// asked, which for N tokens is less than the work of one more column of the model.
__global__ void sort_tokens(const int32_t* rows, int64_t tokens, int32_t* sorted) {
  __shared__ int32_t others[kSortThreads];
  int64_t token = int64_t{blockIdx.x} * kSortThreads + threadIdx.x;
  int32_t row = token < tokens ? rows[token] : 0;
  int64_t place = 0;
  for (int64_t first = 0; first < tokens; first += kSortThreads) {
    if (first + threadIdx.x < tokens) others[threadIdx.x] = rows[first + threadIdx.x];
    __syncthreads();
    int64_t count = tokens - first < kSortThreads ? tokens - first : kSortThreads;
    for (int64_t i = 0; i < count; i++) {
      place += others[i] < row || (others[i] == row && first + i < token) ? 1 : 0;
    }
    __syncthreads();  // before the next ones are written there
  }
  if (token < tokens) sorted[place] = static_cast<int32_t>(token);
}

/// A table's tokens in the order of their rows.
struct SortedTokens {
  const int32_t* token;  // [N]
  const int32_t* rows;   // [N], by token
  int64_t tokens;

  /// The row of the i-th; -1 before the first and behind the last
  __device__ int32_t row(int64_t i) const { return i < 0 || i >= tokens ? -1 : rows[token[i]]; }
};

/// What a segment's block leaves of the rows that it shares with the segment before and the one behind:
/// [segments, 2, h].
__device__ __forceinline__ float* shared_sums(float* sums, int64_t segment, int64_t width) {
  return sums + segment * 2 * width;
}

/// Adds to the columns from j on of a row of a table, or of the prompts behind it.
template <int kPack>
__device__ __forceinline__ void add_to_row(Table table, int64_t row, int64_t width, int64_t j,
                                           const Pack<kPack>& sum) {
  float* gradient = row < table.count ? table.gradient : table.prompts;
  if (row >= table.count) row -= table.count;
  if (gradient == nullptr) return;
  float* target = gradient + row * width + j;
  Pack<kPack> before = load_pack<kPack>(target);
  store_pack(target, make_pack<kPack>([&](int k) { return before.x[k] + sum.x[k]; }));
}

template <class T, int kPack>
__global__ void sum_segments(const T* grad_out, Dropout dropout, int64_t token_count, int64_t width,
                             Table table, const int32_t* sorted, float* sums) {
  int64_t segment = blockIdx.x;
  SortedTokens order{sorted, table.rows, token_count};
  float* with_last = shared_sums(sums, segment, width);
  float* with_next = with_last + width;
  int64_t begin = segment * kSegment;
  int count = static_cast<int>(begin + kSegment < token_count ? kSegment : token_count - begin);

  __shared__ int32_t tokens[kSegment], rows[kSegment + 2];  // the rows with the one before and the one behind
  for (int i = static_cast<int>(threadIdx.x); i < count + 2; i += static_cast<int>(blockDim.x)) {
    rows[i] = order.row(begin + i - 1);
    if (i < count) tokens[i] = order.token[begin + i];
  }
  __syncthreads();

  for (int64_t j = int64_t{threadIdx.x} * kPack; j < width; j += int64_t{blockDim.x} * kPack) {
    Pack<kPack> sum{};
    for (int i = 0; i < count; i++) {
      int64_t at = int64_t{tokens[i]} * width + j;
      Pack<kPack> g = load_pack<kPack>(grad_out + at);
      drop(dropout, static_cast<uint64_t>(at), g);
      sum = make_pack<kPack>([&](int k) { return sum.x[k] + g.x[k]; });
      int32_t row = rows[i + 1];
      if (i + 1 < count && rows[i + 2] == row) continue;
      if (row == rows[0]) {
        store_pack(with_last + j, sum);
      } else if (row == rows[count + 1]) {
        store_pack(with_next + j, sum);
      } else {
        add_to_row(table, row, width, j, sum);
      }
      sum = {};
    }
  }
}

/// A block adds up the row that begins in its segment and goes on behind it, if there is one.
template <int kPack>
__global__ void join_segments(int64_t token_count, int64_t width, Table table, const int32_t* sorted,
                              float* sums) {
  int64_t segments = gridDim.x, segment = blockIdx.x;
  SortedTokens order{sorted, table.rows, token_count};
  int64_t begin = segment * kSegment, end = begin + kSegment;
  int32_t row = order.row(end - 1);
  if (end >= token_count || order.row(end) != row || order.row(begin - 1) == row) return;

  for (int64_t j = int64_t{threadIdx.x} * kPack; j < width; j += int64_t{blockDim.x} * kPack) {
    Pack<kPack> sum = load_pack<kPack>(shared_sums(sums, segment, width) + width + j);
    for (int64_t next = segment + 1; next < segments && order.row(next * kSegment) == row; next++) {
      Pack<kPack> more = load_pack<kPack>(shared_sums(sums, next, width) + j);
      sum = make_pack<kPack>([&](int k) { return sum.x[k] + more.x[k]; });
    }
    add_to_row(table, row, width, j, sum);
  }
}

}  // namespace

void CudaKernels::run(const EmbeddingForward& p) {
  with_element_type(p.dtype, [&](auto activation) {
    with_weight_type(p.weight_dtype, [&](auto weight) {
      with_pack_size(p.width, [&](auto pack) {
        start({"embedding", static_cast<unsigned>(p.tokens), threads_for(p.width / pack, kMostThreads)},
              embed<decltype(activation), decltype(weight), pack>, p);
      });
    });
  });
}

void CudaKernels::run(const EmbeddingBackward& p) {
  unsigned segments = static_cast<unsigned>(segments_of(p.tokens));
  float* sums = static_cast<float*>(p.workspace);
  int32_t* sorted = reinterpret_cast<int32_t*>(sums + int64_t{segments} * 2 * p.width);

  constexpr const char* kOp = "embedding's backward";
  auto add_to = [&](Table table) {
    start({kOp, blocks_for(p.tokens, kSortThreads), kSortThreads}, sort_tokens, table.rows, p.tokens, sorted);
    with_pack_size(p.width, [&](auto pack) {
      unsigned threads = threads_for(p.width / pack, kMostThreads);
      with_element_type(p.dtype, [&](auto activation) {
        start({kOp, segments, threads}, sum_segments<decltype(activation), pack>,
              static_cast<const decltype(activation)*>(p.grad_out), p.dropout, p.tokens, p.width, table,
              sorted, sums);
      });
      start({kOp, segments, threads}, join_segments<pack>, p.tokens, p.width, table, sorted, sums);
    });
  };
  if (p.grad_words != nullptr || p.grad_prompts != nullptr)
    add_to({p.grad_words, p.ids, p.grad_prompts, p.vocabulary});
  if (p.grad_positions != nullptr) add_to({p.grad_positions, p.positions});
  if (p.grad_blocks != nullptr) add_to({p.grad_blocks, p.block_positions});
}

size_t CudaKernels::workspace_bytes(const EmbeddingBackward& p) const {
  return static_cast<size_t>(segments_of(p.tokens) * 2 * p.width) * sizeof(float) +
         static_cast<size_t>(p.tokens) * sizeof(int32_t);
}

}  // namespace glm::cuda
