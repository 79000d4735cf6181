#pragma once

// From a product to its kernels: operands are packed where they must be, the plan is made, the tile's kernel
// starts, and the one that sums parts.

#include "matmul/main_loop.cuh"
#include "matmul/multiply.h"
#include "matmul/pack.h"
#include "matmul/plan.h"

namespace glm::cuda {

/// A product with operands that kernels take, and where the parts of its result go.
struct PreparedProduct {
  DType dtype;
  Plan plan;
  Problem problem;  // the tiles' numbers are not set yet
  float* parts;
};

PreparedProduct prepare(const Queue& queue, Transposes transposes, const Product& product, void* workspace);

/// Calls use(Shape{}) with the shape of the plan's tile.
template <class Element, bool kHasThin, class Use>
void with_shape(TileKind kind, const Use& use) {
  if (kind == TileKind::kWide) return use(typename Shapes<Element>::Wide{});
  if constexpr (kHasThin) {
    if (kind == TileKind::kThin) return use(typename Shapes<Element>::Thin{});
  }
  use(typename Shapes<Element>::Small{});
}

template <class Element, Transposes kTransposes, class Epilogue>
void start_tiles(const Queue& queue, PreparedProduct prepared, const Epilogue& epilogue) {
  with_shape<Element, kTransposes == Transposes::kNT>(prepared.plan.tile, [&](auto shape) {
    using Shape = decltype(shape);
    using WarpTile =
        typename WarpTileOf<Shape, kTransposes == Transposes::kTN, kTransposes != Transposes::kNT>::type;
    Problem& problem = prepared.problem;
    problem.tile_rows = (problem.rows + Shape::kRows - 1) / Shape::kRows;
    problem.tile_columns = (problem.columns + Shape::kColumns - 1) / Shape::kColumns;
    dim3 grid(static_cast<unsigned>(problem.tile_rows) * static_cast<unsigned>(problem.tile_columns), 1,
              static_cast<unsigned>(prepared.plan.parts));
    start(queue, {"a matrix product", grid, Shape::kThreads, shared_bytes_of<WarpTile>()},
          multiply_tiles<WarpTile, Epilogue>, problem, epilogue);
  });
}

template <Transposes kTransposes, class Epilogue>
void multiply(const Queue& queue, const Product& product, const Epilogue& epilogue, void* workspace) {
  PreparedProduct prepared = prepare(queue, kTransposes, product, workspace);
  auto start_with = [&](const auto& last) {
    if constexpr (Epilogue::kOfTensorCores) {
      if (prepared.dtype == DType::kBFloat16)
        return start_tiles<bfloat16, kTransposes>(queue, prepared, last);
    }
    start_tiles<float, kTransposes>(queue, prepared, last);
  };
  if (prepared.plan.parts == 1) return start_with(epilogue);
  start_with(ToFloat{prepared.parts, prepared.problem.columns, false});
  auto slabs = [](int32_t size, int of_slab) {
    return static_cast<unsigned>((size + of_slab - 1) / of_slab);
  };
  dim3 grid(slabs(prepared.problem.rows, PartsSlab::kRows * kPartsWarps),
            slabs(prepared.problem.columns, PartsSlab::kColumns));
  start(queue, {"a matrix product", grid, 32 * kPartsWarps}, sum_parts<Epilogue>, prepared.parts,
        prepared.plan.parts, prepared.problem, epilogue);
}

}  // namespace glm::cuda
