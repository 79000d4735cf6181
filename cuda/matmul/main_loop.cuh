#pragma once

// The kernels. A block computes one tile of the product, or, where the depth is in parts, one part of one:
//
//   copies of the first kStages - 1 steps of the depth begin
//   each step: wait for its copies; begin those of the step kStages - 1 further on; multiply
//   the sums go, slab by slab, through shared memory to the epilogue
//
// Work: 2 · rows · columns · depth operations of whole tiles. Memory traffic: A once per column of tiles, B
// once per row of tiles (neighbouring tiles run at the same time and find the other's in the L2 cache), the
// epilogue's tensors once.

#include "matmul/epilogue.cuh"
#include "matmul/float_tile.cuh"
#include "matmul/tensor_core_tile.cuh"

namespace glm::cuda {

struct Problem {
  ByteMatrix a, b;
  int32_t rows, columns;  // of the result
  int32_t tile_rows, tile_columns;
  int32_t steps, steps_of_part;  // of the depth
  bool whole;                    // see Place
};

/// How a warp multiplies tiles of an element type.
template <class Shape, bool kDepthMajorA, bool kDepthMajorB>
struct WarpTileOf;
template <int... kNumbers, bool kDepthMajorA, bool kDepthMajorB>
struct WarpTileOf<BlockShape<bfloat16, kNumbers...>, kDepthMajorA, kDepthMajorB> {
  using type = TensorCoreTile<BlockShape<bfloat16, kNumbers...>, kDepthMajorA, kDepthMajorB>;
};
template <int... kNumbers, bool kDepthMajorA, bool kDepthMajorB>
struct WarpTileOf<BlockShape<float, kNumbers...>, kDepthMajorA, kDepthMajorB> {
  using type = FloatTile<BlockShape<float, kNumbers...>, kDepthMajorA, kDepthMajorB>;
};

/// Blocks that run at the same time are neighbours in both directions: eight rows of tiles, column by column.
__device__ inline void find_tile(const Problem& problem, int& tile_row, int& tile_column) {
  constexpr int kBand = 8;
  int block = static_cast<int>(blockIdx.x), of_band = kBand * problem.tile_columns;
  int first = block / of_band * kBand;
  int rows = min(kBand, problem.tile_rows - first);
  tile_row = first + block % of_band % rows;
  tile_column = block % of_band / rows;
}

template <class WarpTile>
constexpr int shared_bytes_of() {
  using Shape = typename WarpTile::Shape;
  constexpr int kCopies = Shape::kStages * Shape::kStageBytes;
  constexpr int kSlabs = WarpTile::WarpSlab::kFloats * 4 * Shape::kThreads / 32;
  return kCopies > kSlabs ? kCopies : kSlabs;
}

template <class Tile, class Shape, bool kDepthMajor>
__device__ auto copy_of_operand(const ByteMatrix& matrix, int extent, int first_step) {
  constexpr int kElementBytes = static_cast<int>(sizeof(typename Shape::Element));
  int depth = first_step * Shape::kDepth;
  return TileCopy<Tile, Shape::kThreads, kDepthMajor>(matrix, kDepthMajor ? depth : extent,
                                                      (kDepthMajor ? extent : depth) * kElementBytes);
}

template <class WarpTile, class Epilogue>
__global__ __launch_bounds__(WarpTile::Shape::kThreads,
                             WarpTile::Shape::kBlocks) void multiply_tiles(const Problem problem,
                                                                           const Epilogue epilogue) {
  using Shape = typename WarpTile::Shape;
  using TileA = typename WarpTile::TileA;
  using TileB = typename WarpTile::TileB;
  extern __shared__ __align__(128) char shared[];
  auto stage_a = [](int stage) { return shared + stage * Shape::kStageBytes; };
  auto stage_b = [](int stage) { return shared + stage * Shape::kStageBytes + TileA::kBytes; };

  int tile_row, tile_column;
  find_tile(problem, tile_row, tile_column);
  int row = tile_row * Shape::kRows, column = tile_column * Shape::kColumns;
  int first_step = static_cast<int>(blockIdx.z) * problem.steps_of_part;
  int steps = min(problem.steps_of_part, problem.steps - first_step);

  auto copy_a = copy_of_operand<TileA, Shape, WarpTile::kDepthMajorA>(problem.a, row, first_step);
  auto copy_b = copy_of_operand<TileB, Shape, WarpTile::kDepthMajorB>(problem.b, column, first_step);
  auto copy_step = [&](int step, int stage) {
    if (step < steps) {
      copy_a.next(shared_address(stage_a(stage)));
      copy_b.next(shared_address(stage_b(stage)));
    }
    end_copy_group();  // an empty one at the end, so that their number tells the step
  };

  WarpTile tile;
  for (int step = 0; step < Shape::kStages - 1; step++) copy_step(step, step);
  int stage = 0, next_stage = Shape::kStages - 1;
  for (int step = 0; step < steps; step++) {
    wait_for_copies<Shape::kStages - 2>();
    __syncthreads();  // everybody's copies are there, and everybody has read the stage that comes next
    copy_step(step + Shape::kStages - 1, next_stage);
    tile.multiply(stage_a(stage), stage_b(stage));
    next_stage = stage;
    stage = stage + 1 == Shape::kStages ? 0 : stage + 1;
  }
  wait_for_copies<0>();
  __syncthreads();  // the stages become slabs

  using WarpSlab = typename WarpTile::WarpSlab;
  WarpSlab slab{reinterpret_cast<float*>(shared) + Shape::warp() * WarpSlab::kFloats};
#pragma unroll
  for (int i = 0; i < WarpTile::kSlabs; i++) {
    tile.write(slab, i);
    __syncwarp();
    epilogue(slab,
             Place{row + Shape::row_of_warp() + i * WarpSlab::kRows, problem.rows,
                   column + Shape::column_of_warp(), problem.columns, problem.whole},
             Shape::lane());
    __syncwarp();
  }
}

/// Sums the parts in their order and calls the epilogue with slabs of the sums.
using PartsSlab = Slab<16, 64, 8>;
constexpr int kPartsWarps = 4;

template <class Epilogue>
__global__ __launch_bounds__(32 * kPartsWarps) void sum_parts(const float* parts, int32_t count,
                                                              Problem problem, Epilogue epilogue) {
  __shared__ __align__(16) float shared[kPartsWarps * PartsSlab::kFloats];
  int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  PartsSlab slab{shared + warp * PartsSlab::kFloats};
  Place place{static_cast<int64_t>(blockIdx.x * kPartsWarps + warp) * PartsSlab::kRows, problem.rows,
              static_cast<int64_t>(blockIdx.y) * PartsSlab::kColumns, problem.columns, problem.whole};
  slab.for_each_four(lane, [&](int row, int column) {
    int64_t many = place.columns_from(column);
    if (!place.has_row(row) || many <= 0) return;
    const float* part = parts + place.index(row, column);
    Pack<4> sum = load_upto<4>(part, many, place.whole);
    for (int i = 1; i < count; i++) {
      part += place.rows * place.columns;
      sum = sum + load_upto<4>(part, many, place.whole);
    }
    store_pack(&slab.at(row, column), sum);
  });
  __syncwarp();
  epilogue(slab, place, lane);
}

}  // namespace glm::cuda
