#pragma once

// Softmax over columns that arrive tile by tile (Milakov & Gimelshein, "Online normalizer calculation for
// softmax", 2018), in base 2: 2^(score · scale · log2 e). The four threads of a row each sum their columns;
// the sums meet at the end.

#include "attention/products.cuh"
#include "device/reduce.cuh"

namespace glm::cuda::attention {

constexpr float kLog2E = 1.4426950408889634f, kLn2 = 0.6931471805599453f;

template <int kFragments>
struct OnlineSoftmax {
  float scale;                   // of scores, times log2 e
  float maximum[kFragments][2];  // of the scores of rows g and g + 8
  float sum[kFragments][2];      // of a thread's own columns

  __device__ explicit OnlineSoftmax(float score_scale) : scale(score_scale * kLog2E) {
#pragma unroll
    for (int f = 0; f < kFragments; f++) {
      maximum[f][0] = maximum[f][1] = -INFINITY;
      sum[f][0] = sum[f][1] = 0;
    }
  }

  /// Turns scores into weights relative to the maximum so far, and rescales `out` to it. Every row has seen
  /// a column.
  template <int kTiles, int kOutTiles>
  __device__ __forceinline__ void take(Numbers<kFragments, kTiles>& scores,
                                       Numbers<kFragments, kOutTiles>& out) {
#pragma unroll
    for (int f = 0; f < kFragments; f++) {
#pragma unroll
      for (int h = 0; h < 2; h++) {
        float top = maximum[f][h];
#pragma unroll
        for (int n = 0; n < kTiles; n++)
          top = fmaxf(top, fmaxf(scores[f][n][2 * h], scores[f][n][2 * h + 1]));
        top = warp_reduce<4>(top, Maximum{});
        float rescale = exp2_fast((maximum[f][h] - top) * scale), base = top * scale;
        maximum[f][h] = top;
        sum[f][h] *= rescale;
#pragma unroll
        for (int n = 0; n < kOutTiles; n++) {
          out[f][n][2 * h] *= rescale;
          out[f][n][2 * h + 1] *= rescale;
        }
#pragma unroll
        for (int n = 0; n < kTiles; n++) {
#pragma unroll
          for (int i = 2 * h; i < 2 * h + 2; i++) {
            scores[f][n][i] = exp2_fast(fmaf(scores[f][n][i], scale, -base));
            sum[f][h] += scores[f][n][i];
          }
        }
      }
    }
  }

  /// Sums over the four threads of a row.
  __device__ __forceinline__ void finish() {
#pragma unroll
    for (int f = 0; f < kFragments; f++) {
#pragma unroll
      for (int h = 0; h < 2; h++) sum[f][h] = warp_sum<4>(sum[f][h]);
    }
  }

  /// Natural logarithm of Σ e^(scale · score).
  __device__ __forceinline__ float log_sum_exp(int f, int h) const {
    return (maximum[f][h] * scale + log2f(sum[f][h])) * kLn2;
  }
};

}  // namespace glm::cuda::attention
