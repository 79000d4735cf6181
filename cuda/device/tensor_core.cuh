#pragma once

// The tensor cores' product of bfloat16 matrices, 16 × 16 times 16 × 8 with float32 sums, one per warp, and
// how its operands come from shared memory (PTX ISA, mma.m16n8k16 and ldmatrix).
//
// Lane l has of the sums, as g = l / 4 and t = l % 4: sum[0] and [1] at row g, columns 2t and 2t + 1, sum[2]
// and [3] at row g + 8.

#include <cstdint>

namespace glm::cuda {

/// Four 8 × 8 matrices of 16-bit elements; lane 8 i + r gives the address of row r of matrix i. As for A of a
/// product: i = 0 … 3 are (rows 0-7, depth 0-7), (rows 8-15, depth 0-7), (rows 0-7, depth 8-15), (rows 8-15,
/// depth 8-15). With `kTransposed` the matrices lie in shared memory the other way round.
template <bool kTransposed>
__device__ __forceinline__ void load_matrices(uint32_t (&matrices)[4], uint32_t shared) {
  if constexpr (kTransposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(matrices[0]), "=r"(matrices[1]), "=r"(matrices[2]), "=r"(matrices[3])
                 : "r"(shared)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(matrices[0]), "=r"(matrices[1]), "=r"(matrices[2]), "=r"(matrices[3])
                 : "r"(shared)
                 : "memory");
  }
}

/// sum += a · bᵀ, where b0 and b1 are the matrices (columns 0-7, depth 0-7) and (columns 0-7, depth 8-15).
__device__ __forceinline__ void multiply_add(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0,
                                             uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, "
      "%1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

}  // namespace glm::cuda
