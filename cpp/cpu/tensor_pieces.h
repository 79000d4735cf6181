#pragma once

// Many tensors, cut into pieces of a fixed size: the optimizer's kernels go over all parameters in one
// parallel loop.

#include "cpu/simd.h"

namespace glm::GLM_ISA {

constexpr int64_t kElementsOfPiece = 1 << 16;

GLM_INLINE int64_t pieces_of(int64_t elements) {
  return (elements + kElementsOfPiece - 1) / kElementsOfPiece;
}

/// The number of pieces of all tensors; `Span` has `elements`.
template <class Span>
GLM_INLINE int64_t count_pieces(const Span* tensors, int64_t count) {
  int64_t pieces = 0;
  for (int64_t t = 0; t < count; t++) pieces += pieces_of(tensors[t].elements);
  return pieces;
}

/// Calls function(tensor, begin, end) with the elements that piece `piece` of all tensors stands for. The
/// walk is a few hundred steps where a piece has 65,536 elements.
template <class Span, class Function>
GLM_INLINE void with_piece(const Span* tensors, int64_t piece, const Function& function) {
  const Span* tensor = tensors;
  while (piece >= pieces_of(tensor->elements)) piece -= pieces_of((tensor++)->elements);
  int64_t begin = piece * kElementsOfPiece, end = begin + kElementsOfPiece;
  function(*tensor, begin, end < tensor->elements ? end : tensor->elements);
}

}  // namespace glm::GLM_ISA
