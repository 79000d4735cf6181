#pragma once

// Packing: a block of an operand is rewritten in the order in which multiply_tile reads it, once, and is then
// read many times from the caches. A block is cut into panels of kPanel rows (of A) or columns (of B); a
// panel lies as [words of the depth, kPanel]. Rows or columns that do not exist, and a missing second half of
// a pair, become zero.
//
// An operand lies in memory with its depth minor (x and weight in y = x · weightᵀ: a panel is a
// transposition, done on kLanes × kLanes blocks in registers) or its depth major (weight in g · weight, both
// operands in gᵀ · x: rows are copied). Whatever must happen to an element before it is multiplied happens
// here, once per packing: widening from half types, activation.

#include <utility>

#include "backend/params.h"
#include "cpu/gemm/tile.h"
#include "cpu/vector_math.h"

namespace glm::GLM_ISA {

/// One side of a product: element (i, k) of [extent, depth] at data[i · stride + k], or at data[k · stride +
/// i] where the depth is major.
struct Operand {
  DType dtype = DType::kFloat32;
  const void* data = nullptr;
  int64_t stride = 0;
  int64_t extent = 0;
  bool depth_is_major = false;
  Activation activation = Activation::kNone;
};

constexpr int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }

namespace packing {

/// Applies the activation to `count` vectors in place.
__attribute__((noinline)) inline void activate(Activation activation, Floats* v, int count) {
  switch (activation) {
    case Activation::kNone:
      break;
    case Activation::kGeluTanh:
      for (int i = 0; i < count; i++) v[i] = gelu_tanh(v[i]);
      break;
    case Activation::kGeluErf:
      for (int i = 0; i < count; i++) v[i] = gelu_erf(v[i]);
      break;
    case Activation::kTanh:
      for (int i = 0; i < count; i++) v[i] = tanh(v[i]);
      break;
    case Activation::kRelu:
      for (int i = 0; i < count; i++) v[i] = relu(v[i]);
      break;
  }
}

/// The upper halves of floats, rounded to nearest even, in the lower halves of the lanes; NaN stays NaN.
GLM_INLINE Ints rounded_halves(Floats v) {
  Ints bits = bits_of(v);
  Ints rounded = bits + 0x7fff + ((bits >> 16) & 1);
  return ((v == v ? rounded : bits | 0x400000) >> 16) & 0xffff;
}

/// Two vectors of floats to one of pairs, `early` in the lower halves.
GLM_INLINE Ints pair_up(Floats early, Floats late) {
  return rounded_halves(early) | rounded_halves(late) << 16;
}

/// kLanes bfloat16 without conversion, zero-extended.
GLM_INLINE Ints load_halves(const bfloat16* p, int64_t count) {
  bfloat16 lanes[kLanes] = {};
  if (count < kLanes) {
    for (int64_t i = 0; i < count; i++) lanes[i] = p[i];
    p = lanes;
  }
  Shorts s;
  std::memcpy(&s, p, sizeof s);
  return __builtin_convertvector(s, Ints);
}

template <int kStep, int... kLane>
GLM_INLINE void exchange(Floats& a, Floats& b, std::integer_sequence<int, kLane...>) {
  Floats low = __builtin_shufflevector(a, b, ((kLane & kStep) ? kLane - kStep + kLanes : kLane)...);
  b = __builtin_shufflevector(a, b, ((kLane & kStep) ? kLane + kLanes : kLane + kStep)...);
  a = low;
}

template <int kStep>
GLM_INLINE void exchange_all(Floats* v) {
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; i++) {
    if ((i & kStep) == 0) exchange<kStep>(v[i], v[i + kStep], std::make_integer_sequence<int, kLanes>{});
  }
}

/// v[i][j] becomes v[j][i]: blocks of 1, 2, 4, 8 change places across the diagonal.
GLM_INLINE void transpose(Floats* v) {
  exchange_all<1>(v);
  exchange_all<2>(v);
  if constexpr (kLanes > 4) exchange_all<4>(v);
  if constexpr (kLanes > 8) exchange_all<8>(v);
}

/// kLanes words of the depth of one row, of which `depth` elements exist.
template <class Word, class T>
GLM_INLINE Floats load_depth(const T* p, int64_t depth) {
  if constexpr (WordTraits<Word>::kDepth == 1) {
    return load_upto(p, depth);
  } else {
    Floats pairs;
    if (depth >= 2 * kLanes) {
      std::memcpy(&pairs, p, sizeof pairs);
    } else {
      bfloat16 lanes[2 * kLanes] = {};
      for (int64_t i = 0; i < depth; i++) lanes[i] = p[i];
      std::memcpy(&pairs, lanes, sizeof pairs);
    }
    return pairs;
  }
}

/// Applies the activation to the bfloat16 in `count` vectors of pairs.
inline void activate_pairs(Activation activation, Floats* pairs, int count) {
  for (int i = 0; i < count; i++) {
    Ints bits = bits_of(pairs[i]);
    Floats halves[2] = {floats_of(bits << 16), floats_of(bits & static_cast<int32_t>(0xffff0000u))};
    activate(activation, halves, 2);
    pairs[i] = floats_of(pair_up(halves[0], halves[1]));
  }
}

/// Applies the activation to the elements in `count` vectors of words, given as vectors of their bits.
template <class Word>
GLM_INLINE void activate_words(Activation activation, Floats* words, int count) {
  if constexpr (WordTraits<Word>::kDepth == 1) {
    activate(activation, words, count);
  } else {
    activate_pairs(activation, words, count);
  }
}

/// Stores the words [strip, strip + kLanes) of a panel's row, or up to the panel's end. Where a row is one
/// short strip, the whole vector is stored and its surplus falls into the next row, which is filled later;
/// not so the `last` row.
template <int kPanel, class Word>
GLM_INLINE void store_strip(Word* to, int64_t strip, Floats v, bool last) {
  if (strip + kLanes <= kPanel || (kPanel < kLanes && !last)) {
    store_words(to, v);
  } else {
    std::memcpy(to, &v, static_cast<size_t>(kPanel - strip) * sizeof(Word));
  }
}

/// A strip of up to kLanes rows whose depth is minor: kLanes × kLanes words are loaded, transposed and
/// stored.
template <int kPanel, class Word, class T>
void pack_minor_strip(const Operand& operand, int64_t first, int64_t strip, int64_t rows, int64_t begin,
                      int64_t end, Word* panel) {
  constexpr int64_t kDepth = kLanes * WordTraits<Word>::kDepth;
  const T* source = static_cast<const T*>(operand.data) + (first + strip) * operand.stride;
  Word* out = panel + strip;
  int64_t words = divide_up(end - begin, WordTraits<Word>::kDepth);
  for (int64_t k = begin, word = 0; k < end; k += kDepth, word += kLanes) {
    for (int row = 0; row < kLanes; row++)
      __builtin_prefetch(source + row * operand.stride + k + 8 * kDepth, 0, 2);
    Floats block[kLanes];
    if (rows - strip >= kLanes && end - k >= kDepth) {
#pragma GCC unroll 16
      for (int row = 0; row < kLanes; row++) {
        block[row] = load_depth<Word>(source + row * operand.stride + k, kDepth);
      }
    } else {
      for (int row = 0; row < kLanes; row++) {
        block[row] =
            row < rows - strip ? load_depth<Word>(source + row * operand.stride + k, end - k) : Floats{};
      }
    }
    if (operand.activation != Activation::kNone) activate_words<Word>(operand.activation, block, kLanes);
    transpose(block);
    if (words - word > kLanes) {
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; i++) store_strip<kPanel>(out + (word + i) * kPanel, strip, block[i], false);
    } else {
      for (int64_t i = 0; i < words - word; i++) {
        store_strip<kPanel>(out + (word + i) * kPanel, strip, block[i], word + i == words - 1);
      }
    }
  }
}

/// kLanes columns of one word of the depth; `depth` of its elements and `columns` of the columns exist.
template <class Word, class T>
GLM_INLINE Floats load_across(const T* p, int64_t stride, int64_t depth, int64_t columns,
                              Activation activation) {
  Floats v;
  if constexpr (WordTraits<Word>::kDepth == 1) {
    v = load_upto(p, columns);
  } else {
    Ints late = depth > 1 ? load_halves(p + stride, columns) : Ints{};
    v = floats_of(load_halves(p, columns) | late << 16);
  }
  if (activation != Activation::kNone) {
    Floats activated = v;
    activate_words<Word>(activation, &activated, 1);
    return activated;
  }
  return v;
}

}  // namespace packing

/// Packs rows (columns) [first, first + count) and depth [begin, end) of an operand into panels that lie one
/// behind the other. `begin` is even.
template <int kPanel, class Word, class T>
__attribute__((noinline)) void pack(const Operand& operand, int64_t first, int64_t count, int64_t begin,
                                    int64_t end, Word* out) {
  constexpr int64_t kDepth = WordTraits<Word>::kDepth;
  int64_t panel_words = divide_up(end - begin, kDepth) * kPanel;
  if (!operand.depth_is_major) {
    for (int64_t row = 0; row < count; row += kPanel, out += panel_words) {
      int64_t rows = count - row < kPanel ? count - row : int64_t{kPanel};
      for (int64_t strip = 0; strip < kPanel; strip += kLanes) {
        packing::pack_minor_strip<kPanel, Word, T>(operand, first + row, strip, rows, begin, end, out);
      }
    }
    return;
  }
  // One row of the source at a time across all panels: whole cache lines, in an order that prefetching can
  // follow.
  int64_t exist = operand.extent - first;
  const T* source = static_cast<const T*>(operand.data) + begin * operand.stride + first;
  for (int64_t k = begin; k < end; k += kDepth, source += kDepth * operand.stride, out += kPanel) {
    constexpr int64_t kAhead = 12, kLine = 64 / sizeof(T);
    for (int64_t row = 0; row < kDepth; row++) {
      const T* later = source + (kAhead * kDepth + row) * operand.stride;
      for (int64_t column = 0; column < count; column += kLine) __builtin_prefetch(later + column, 0, 2);
    }
    Word* to = out;
    for (int64_t column = 0; column < count; column += kPanel, to += panel_words) {
      for (int64_t strip = 0; strip < kPanel; strip += kLanes) {
        Floats words = packing::load_across<Word>(source + column + strip, operand.stride, end - k,
                                                  exist - column - strip, operand.activation);
        packing::store_strip<kPanel>(to + strip, strip, words, end - k <= kDepth);
      }
    }
  }
}

}  // namespace glm::GLM_ISA
