#pragma once

// Packs: neighbouring elements that a thread loads and stores in one access, as float32 in between.

#include <cstring>
#include <type_traits>

#include "device/element.cuh"

namespace glm::cuda {

template <int kElements>
struct Pack {
  float x[kElements];
};

/// What one access moves. 8 bytes are a number: of a pair, a compiler may store each half for itself.
template <size_t kBytes>
using Word = std::conditional_t<
    kBytes == 16, uint4,
    std::conditional_t<kBytes == 8, uint64_t, std::conditional_t<kBytes == 4, uint32_t, uint16_t>>>;

constexpr int kMostBytes = 16;  // that one access moves

/// `from` is aligned to the pack, or to 16 bytes.
template <int kElements, class T>
__device__ __forceinline__ Pack<kElements> load_pack(const T* from) {
  Pack<kElements> pack;
  if constexpr (kElements * sizeof(T) > kMostBytes) {
    constexpr int kHalf = kElements / 2;
    Pack<kHalf> low = load_pack<kHalf>(from), high = load_pack<kHalf>(from + kHalf);
#pragma unroll
    for (int i = 0; i < kElements; i++) pack.x[i] = i < kHalf ? low.x[i % kHalf] : high.x[i % kHalf];
  } else {
    auto word = *reinterpret_cast<const Word<kElements * sizeof(T)>*>(from);
    T elements[kElements];
    memcpy(elements, &word, sizeof(word));
#pragma unroll
    for (int i = 0; i < kElements; i++) pack.x[i] = load(&elements[i]);
  }
  return pack;
}

template <int kElements, class T>
__device__ __forceinline__ void store_pack(T* to, const Pack<kElements>& pack) {
  if constexpr (kElements * sizeof(T) > kMostBytes) {
    constexpr int kHalf = kElements / 2;
    Pack<kHalf> low, high;
#pragma unroll
    for (int i = 0; i < kHalf; i++) low.x[i] = pack.x[i], high.x[i] = pack.x[kHalf + i];
    store_pack(to, low);
    store_pack(to + kHalf, high);
  } else {
    T elements[kElements];
#pragma unroll
    for (int i = 0; i < kElements; i++) store(&elements[i], pack.x[i]);
    Word<kElements * sizeof(T)> word;
    memcpy(&word, elements, sizeof(word));
    *reinterpret_cast<decltype(word)*>(to) = word;
  }
}

/// The first `count` elements, and zeros behind them; `whole`: `from` is aligned to the pack.
template <int kElements, class T>
__device__ __forceinline__ Pack<kElements> load_upto(const T* from, int64_t count, bool whole) {
  if (whole && count >= kElements) return load_pack<kElements>(from);
  Pack<kElements> pack;
#pragma unroll
  for (int i = 0; i < kElements; i++) pack.x[i] = i < count ? load(from + i) : 0.0f;
  return pack;
}

/// Stores the first `count` elements.
template <int kElements, class T>
__device__ __forceinline__ void store_upto(T* to, const Pack<kElements>& pack, int64_t count, bool whole) {
  if (whole && count >= kElements) return store_pack(to, pack);
#pragma unroll
  for (int i = 0; i < kElements; i++) {
    if (i < count) store(to + i, pack.x[i]);
  }
}

template <int kElements>
__device__ __forceinline__ Pack<kElements> operator+(Pack<kElements> a, const Pack<kElements>& b) {
#pragma unroll
  for (int i = 0; i < kElements; i++) a.x[i] += b.x[i];
  return a;
}

/// function(i) for each element of a pack
template <int kElements, class Function>
__device__ __forceinline__ Pack<kElements> make_pack(const Function& function) {
  Pack<kElements> pack;
#pragma unroll
  for (int i = 0; i < kElements; i++) pack.x[i] = function(i);
  return pack;
}

/// Calls function(n) with the size of the packs that rows of `width` elements are made of, as a constant: 4,
/// or 1 where the rows' beginnings are not aligned to more.
template <class Function>
void with_pack_size(int64_t width, const Function& function) {
  if (width % 4 == 0) {
    function(std::integral_constant<int, 4>{});
  } else {
    function(std::integral_constant<int, 1>{});
  }
}

/// A warp's multiple of threads that gives each of `packs` one, at most `most`.
inline unsigned threads_for(int64_t packs, unsigned most) {
  int64_t whole_warps = (packs + 31) / 32 * 32;
  return whole_warps < most ? static_cast<unsigned>(whole_warps) : most;
}

}  // namespace glm::cuda
