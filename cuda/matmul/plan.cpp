#include "matmul/plan.h"

#include <algorithm>

namespace glm::cuda {
namespace {

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// A tile as the model sees it: clocks are those that a multiprocessor needs for one step of one block, when
/// its blocks keep it busy: at 80 % of 1024 (bfloat16) or 64 (float32) multiplications a clock for wide
/// tiles; small ones are held up by the L2 cache, thin ones by memory.
struct Model {
  TileKind kind;
  int64_t rows, columns, depth;
  double clocks_of_step;
  int64_t least_steps;  // of a part of the depth
};

constexpr Model kBFloat16[] = {{TileKind::kWide, 128, 128, 32, 640, 8},
                               {TileKind::kSmall, 64, 64, 32, 230, 8},
                               {TileKind::kThin, 16, 64, 64, 400, 2}};
constexpr Model kFloat32[] = {{TileKind::kWide, 128, 64, 16, 2560, 8},
                              {TileKind::kSmall, 64, 64, 16, 1450, 8},
                              {TileKind::kThin, 16, 128, 16, 750, 8}};

// Further clocks: to start a block, fill its stages and write its tile; to start another kernel; and what the
// L2 cache moves in one.
constexpr double kClocksOfBlock = 1500, kClocksOfKernel = 4000, kBytesOfClock = 2000;
constexpr int64_t kThinRows = 16;

}  // namespace

Plan plan_product(DType dtype, bool has_thin, int64_t m, int64_t n, int64_t k, int multiprocessors) {
  const Model(&models)[3] = dtype == DType::kBFloat16 ? kBFloat16 : kFloat32;
  Plan best{};
  double least = 0;
  for (const Model& model : models) {
    if ((model.kind == TileKind::kThin) != (has_thin && m <= kThinRows)) continue;
    int64_t tiles = divide_up(m, model.rows) * divide_up(n, model.columns);
    int64_t steps = std::max<int64_t>(divide_up(k, model.depth), 1);
    for (int64_t wanted = 1; wanted <= 64; wanted += wanted < 4 ? 1 : wanted / 4) {
      int64_t steps_of_part = divide_up(steps, wanted), parts = divide_up(steps, steps_of_part);
      if (parts > 1 && steps_of_part < model.least_steps) break;
      double blocks = static_cast<double>(divide_up(tiles * parts, multiprocessors));
      double clocks = blocks * (static_cast<double>(steps_of_part) * model.clocks_of_step + kClocksOfBlock);
      if (parts > 1) clocks += kClocksOfKernel + static_cast<double>(parts * m * n * 8) / kBytesOfClock;
      if (least == 0 || clocks < least) {
        least = clocks;
        best = {model.kind, static_cast<int32_t>(parts), static_cast<int32_t>(steps),
                static_cast<int32_t>(steps_of_part)};
      }
    }
  }
  return best;
}

}  // namespace glm::cuda
