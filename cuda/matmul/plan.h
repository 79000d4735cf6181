#pragma once

#include "base/dtype.h"

namespace glm::cuda {

enum class TileKind { kWide, kSmall, kThin };

/// How a product is computed: by which tile (matmul/block_shape.cuh), the depth in how many parts, each of so
/// many steps of the tile. The parts of a result are summed in order by a second kernel.
struct Plan {
  TileKind tile;
  int32_t parts;
  int32_t steps, steps_of_part;
};

/// The quickest for C [m, n] over a depth k, where thin tiles are had or not, by a simple model of a GPU with
/// so many multiprocessors. The same for the same sizes on the same GPU, and with it every bit of the result.
Plan plan_product(DType dtype, bool has_thin, int64_t m, int64_t n, int64_t k, int multiprocessors);

}  // namespace glm::cuda
