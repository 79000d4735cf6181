#pragma once

// The one product of attention: c[n][m] (+)= Σ_k a[k][m] · b(n, k), with m along vector lanes and b spread
// from memory. Everything fits this form without transposing the big tiles (i rows, j columns, d width of a
// head):
//
//   Sᵀ[j][i]  =  Σ_d  Qᵀ[d][i]  · K[j][d]          b contiguous in k
//   dPᵀ[j][i] =  Σ_d  dOᵀ[d][i] · V[j][d]          b contiguous in k
//   Oᵀ[d][i]  += Σ_j  Pᵀ[j][i]  · V[j][d]          b contiguous in n
//   dQᵀ[d][i] += Σ_j  dSᵀ[j][i] · K[j][d]          b contiguous in n
//   dV[j][d]  += Σ_i  dO[i][d]  · Pᵀ[j][i]         b contiguous in k
//   dK[j][d]  += Σ_i  Q[i][d]   · dSᵀ[j][i]        b contiguous in k
//
// A block of kVectors × kColumns sums stays in registers over the whole depth. A sum's terms are added in the
// order of k whatever the block, so a result does not depend on where in a tile it was computed.

#include "cpu/attention/units.h"

namespace glm::GLM_ISA::attention {

#if defined(__AVX512F__)
constexpr int kBlockVectors = 4, kBlockColumns = 4;  // 16 sums, 4 vectors, 1 spread unit of 32 registers
#else
constexpr int kBlockVectors = 2, kBlockColumns = 6;  // 12 sums, 2 vectors, 1 spread unit of 16 registers
#endif

/// What the sums start from.
enum class From {
  kZero,     // c = a · b
  kSum,      // c = c + a · b
  kRescaled  // c = scale ∘ c + a · b
};

template <class Unit>
struct Product {
  const Unit* a;     // [depth][vectors · kLanes]
  int64_t a_stride;  // units
  const Unit* b;     // [columns][depth] or [depth][columns]
  int64_t b_stride;  // units
  float* c;          // [columns][vectors · kLanes]
  int64_t c_stride;
  int64_t vectors, columns, depth;  // depth in units
  const float* scale = nullptr;     // [vectors · kLanes]
};

template <bool kContiguousDepth, From kFrom, int kVectors, int kColumns, class Unit>
GLM_INLINE void product_block(const Product<Unit>& p, int64_t vector, int64_t column) {
  const Unit* a = p.a + vector * kLanes;
  const Unit* b = p.b + column * (kContiguousDepth ? p.b_stride : 1);
  float* c = p.c + column * p.c_stride + vector * kLanes;
  Floats sum[kColumns][kVectors];
  for (int n = 0; n < kColumns; n++) {
    for (int v = 0; v < kVectors; v++) {
      const float* at = c + n * p.c_stride + v * kLanes;
      if constexpr (kFrom == From::kZero) sum[n][v] = Floats{};
      if constexpr (kFrom == From::kSum) sum[n][v] = load(at);
      if constexpr (kFrom == From::kRescaled) sum[n][v] = load(at) * load(p.scale + (vector + v) * kLanes);
    }
  }
  for (int64_t k = 0; k < p.depth; k++) {
    decltype(load_units(a)) lanes[kVectors];
    for (int v = 0; v < kVectors; v++) lanes[v] = load_units(a + v * kLanes);
    for (int n = 0; n < kColumns; n++) {
      auto one = spread_unit(b + n * (kContiguousDepth ? p.b_stride : 1));
      for (int v = 0; v < kVectors; v++) sum[n][v] = multiply_add(sum[n][v], lanes[v], one);
    }
    a += p.a_stride;
    b += kContiguousDepth ? 1 : p.b_stride;
  }
  for (int n = 0; n < kColumns; n++) {
    for (int v = 0; v < kVectors; v++) store(c + n * p.c_stride + v * kLanes, sum[n][v]);
  }
}

template <bool kContiguousDepth, From kFrom, int kVectors, class Unit>
GLM_INLINE void product_panel(const Product<Unit>& p, int64_t vector) {
  int64_t column = 0;
  for (; column + kBlockColumns <= p.columns; column += kBlockColumns) {
    product_block<kContiguousDepth, kFrom, kVectors, kBlockColumns>(p, vector, column);
  }
  if constexpr (kBlockColumns > 4) {
    if (column + 4 <= p.columns) {
      product_block<kContiguousDepth, kFrom, kVectors, 4>(p, vector, column);
      column += 4;
    }
  }
  for (; column < p.columns; column++) product_block<kContiguousDepth, kFrom, kVectors, 1>(p, vector, column);
}

template <bool kContiguousDepth, From kFrom, class Unit>
__attribute__((noinline)) void multiply(const Product<Unit>& p) {
  int64_t vector = 0;
  for (; vector + kBlockVectors <= p.vectors; vector += kBlockVectors) {
    product_panel<kContiguousDepth, kFrom, kBlockVectors>(p, vector);
  }
  if constexpr (kBlockVectors > 2) {
    if (vector + 2 <= p.vectors) {
      product_panel<kContiguousDepth, kFrom, 2>(p, vector);
      vector += 2;
    }
  }
  if (vector < p.vectors) product_panel<kContiguousDepth, kFrom, 1>(p, vector);
}

}  // namespace glm::GLM_ISA::attention
