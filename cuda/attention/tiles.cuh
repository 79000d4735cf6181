#pragma once

// Rows of a head on their way from memory to the tensor cores: copied asynchronously to shared memory, turned
// there where positions are rotary, and loaded as fragments.

#include "attention/registers.cuh"
#include "attention/rotary.cuh"
#include "base/half.h"
#include "device/async_copy.cuh"
#include "device/reduce.cuh"
#include "device/tensor_core.cuh"

namespace glm::cuda::attention {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * kWarp;

/// Where a thread's numbers are in a fragment C [16, 8]: rows g and g + 8, columns 2 t and 2 t + 1.
__device__ __forceinline__ int lane() { return static_cast<int>(threadIdx.x) % kWarp; }
__device__ __forceinline__ int fragment_row() { return lane() / 4; }
__device__ __forceinline__ int fragment_column() { return lane() % 4 * 2; }

/// Rows [.., D] of bfloat16 in shared memory, from a multiple of 128 bytes on. Piece c (16 bytes) of row r
/// lies at c ^ (r mod 8): the same piece of eight rows is in eight different groups of banks, and so are
/// eight pieces of one row.
template <int kWidth>
struct SharedRows {
  static constexpr int kPieces = kWidth / 8;
  static constexpr int kRowBytes = kWidth * 2;

  uint32_t address;

  __device__ __forceinline__ uint32_t piece(int row, int c) const {
    return address + static_cast<uint32_t>(row * kRowBytes + (c ^ (row & 7)) * 16);
  }
  /// `row` is a multiple of 8.
  __device__ __forceinline__ SharedRows from(int row) const {
    return {address + static_cast<uint32_t>(row * kRowBytes)};
  }
};

/// Q, K, V, O or a gradient of one head within one example, in global memory.
struct GlobalRows {
  const bfloat16* data;  // of row 0
  int32_t stride;        // between rows, in elements
  int32_t length;
};

/// Starts copying rows [first, first + kRows); those from the length on become zero.
template <int kRows, int kWidth>
__device__ __forceinline__ void load_rows(SharedRows<kWidth> to, const GlobalRows& from, int first) {
  constexpr int kPieces = SharedRows<kWidth>::kPieces, kStep = kThreads / kPieces;
  int thread = static_cast<int>(threadIdx.x), piece = thread % kPieces;
#pragma unroll
  for (int i = 0; i < kRows; i += kStep) {
    int row = i + thread / kPieces, r = first + row;
    bool inside = r < from.length;
    copy_async(to.piece(row, piece), from.data + int64_t{inside ? r : 0} * from.stride + piece * 8, inside);
  }
}

/// Turns kRows rows in place; row 0 is token `token`, and `count` of them exist, the others are zero. Threads
/// beside one another have two pairs each of one row, so that rows of the table are read whole. A warp has
/// several rows, so far apart that their pieces are in different groups of banks.
template <int kRows, int kWidth>
__device__ __forceinline__ void turn_rows(SharedRows<kWidth> rows, const Rotary& rotary, int64_t token,
                                          int count) {
  constexpr int kQuarter = kWidth / 4, kPieces = kQuarter / 8, kWords = kQuarter / 2;  // of a quarter
  constexpr int kTogether = 8 / kPieces;                                               // rows of a warp
  constexpr int kStep = kThreads / kWords, kSteps = kRows / kStep;
  static_assert(kStep % 8 == 0 && kRows % kStep == 0);
  int word = static_cast<int>(threadIdx.x) % kWords, n = static_cast<int>(threadIdx.x) / kWords;
  compute_anew(word, n);
  int row = n / 8 * 8 + n % kTogether * kPieces + n / kTogether % kPieces;
#pragma unroll
  for (int half = 0; half < 2; half++) {
    int piece = half * 2 * kPieces + word / 4;
    float4 turns[kSteps];
#pragma unroll
    for (int i = 0; i < kSteps; i++) {
      int r = min(row + i * kStep, count - 1);
      turns[i] = rotary.two_turns(token + r, half, word * 2, kQuarter);
    }
#pragma unroll
    for (int i = 0; i < kSteps; i++) {
      uint32_t first = rows.from(i * kStep).piece(row, piece) + word % 4 * 4;
      uint32_t second = rows.from(i * kStep).piece(row, piece + kPieces) + word % 4 * 4;
      float2 a = unpack(load_shared_word(first)), b = unpack(load_shared_word(second));
      rotate({turns[i].x, turns[i].y}, a.x, b.x);
      rotate({turns[i].z, turns[i].w}, a.y, b.y);
      store_shared(first, pack(a.x, a.y));
      store_shared(second, pack(b.x, b.y));
    }
  }
}

/// A [16, 16]: rows from `row` on, step `k` of the width.
template <int kWidth>
__device__ __forceinline__ void load_left(uint32_t (&a)[4], SharedRows<kWidth> rows, int row, int k) {
  load_matrices<false>(a, rows.piece(row + lane() % 16, k * 2 + lane() / 16));
}

/// Bᵀ for two B [16, 8]: rows from `row` on are columns, step `k` of the width is summed over.
template <int kWidth>
__device__ __forceinline__ void load_right(uint32_t (&b)[4], SharedRows<kWidth> rows, int row, int k) {
  load_matrices<false>(b, rows.piece(row + lane() % 8 + lane() / 16 * 8, k * 2 + lane() / 8 % 2));
}

/// Two B [16, 8]: rows from `row` on are summed over, columns are the 16 from 16 · `n` on.
template <int kWidth>
__device__ __forceinline__ void load_right_of_rows(uint32_t (&b)[4], SharedRows<kWidth> rows, int row,
                                                   int n) {
  load_matrices<true>(b, rows.piece(row + lane() % 16, n * 2 + lane() / 16));
}

}  // namespace glm::cuda::attention
