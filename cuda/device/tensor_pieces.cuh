#pragma once

// Many tensors, cut into pieces of a fixed size: the optimizer's kernels go over all parameters in one
// launch, a block a piece.

#include <cstdint>
#include <vector>

namespace glm::cuda {

constexpr int64_t kElementsOfPiece = 1 << 14;

template <class Span>
int64_t pieces_of(const Span& tensor) {
  return (tensor.elements + kElementsOfPiece - 1) / kElementsOfPiece;
}

/// The number of pieces of all tensors; `Span` has `elements`.
template <class Span>
int64_t count_pieces(const Span* tensors, int64_t count) {
  int64_t pieces = 0;
  for (int64_t t = 0; t < count; t++) pieces += pieces_of(tensors[t]);
  return pieces;
}

/// A tensor, and how many pieces those before it have.
template <class Span>
struct PlacedSpan {
  Span span;
  int64_t first_piece;
};

template <class Span>
std::vector<PlacedSpan<Span>> place(const Span* tensors, int64_t count) {
  std::vector<PlacedSpan<Span>> placed;
  int64_t pieces = 0;
  for (int64_t t = 0; t < count; t++) {
    placed.push_back({tensors[t], pieces});
    pieces += pieces_of(tensors[t]);
  }
  return placed;
}

/// The compiler does not know it of a pointer that comes from memory.
template <class T>
__device__ __forceinline__ T* in_global_memory(T* pointer) {
  __builtin_assume(__isGlobal(pointer));
  return pointer;
}

/// Calls function(tensor, begin, end) with the elements that piece `piece` of all tensors stands for.
template <class Span, class Function>
__device__ __forceinline__ void with_piece(const PlacedSpan<Span>* tensors, int64_t count, int64_t piece,
                                           const Function& function) {
  int64_t first = 0, behind = count;  // the last tensor that begins at or before the piece lies in between
  while (behind - first > 1) {
    int64_t middle = (first + behind) / 2;
    if (tensors[middle].first_piece <= piece) {
      first = middle;
    } else {
      behind = middle;
    }
  }
  const Span span =
      tensors[first].span;  // a copy: what is written could be the list, for all the compiler knows
  int64_t begin = (piece - tensors[first].first_piece) * kElementsOfPiece, end = begin + kElementsOfPiece;
  function(span, begin, end < span.elements ? end : span.elements);
}

}  // namespace glm::cuda
