#include "base/error.h"
#include "check/cases.h"

namespace glm::check {
namespace {

constexpr DType kFloat = DType::kFloat32;

struct Shape {
  int64_t rows, width;
  DType dtype;
  bool accumulate = false;  // the gradient of x is added
};

LayerNormForward forward(Side& side, const Shape& s) {
  return {.dtype = s.dtype,
          .rows = s.rows,
          .width = s.width,
          .epsilon = 1e-5f,
          .x = side.input(s.dtype, s.rows * s.width),
          .weight = static_cast<float*>(side.input(kFloat, s.width)),
          .bias = static_cast<float*>(side.input(kFloat, s.width)),
          .y = side.result("y", s.dtype, s.rows * s.width),
          .mean = static_cast<float*>(side.result("mean", kFloat, s.rows)),
          .rstd = static_cast<float*>(side.result("rstd", kFloat, s.rows))};
}

void add(std::vector<Case>& cases, const Shape& s, bool large) {
  std::string shape = text(s.rows, "x", s.width, s.accumulate ? " accumulate" : "");
  double size = static_cast<double>(s.rows * s.width * size_of(s.dtype));
  cases.push_back({"layer norm forward", shape, s.dtype, large, {2 * size, 0}, [=](Side& side) {
                     side.run(forward(side, s));
                   }});
  cases.push_back(
      {"layer norm backward", shape, s.dtype, large, {3 * size, 0}, [=](Side& side) {
         std::vector<float> ones(static_cast<size_t>(s.rows), 1.7f);
         side.run(LayerNormBackward{
             .dtype = s.dtype,
             .rows = s.rows,
             .width = s.width,
             .x = side.input(s.dtype, s.rows * s.width),
             .mean = static_cast<float*>(side.input(kFloat, s.rows, 0.1f)),
             .rstd = side.copy(ones),
             .weight = static_cast<float*>(side.input(kFloat, s.width)),
             .grad_y = side.input(s.dtype, s.rows * s.width),
             .accumulate = s.accumulate,
             .grad_x = side.result("grad_x", s.dtype, s.rows * s.width, s.accumulate),
             .grad_weight = static_cast<float*>(side.result("grad_weight", kFloat, s.width, true)),
             .grad_bias = static_cast<float*>(side.result("grad_bias", kFloat, s.width, true))});
       }});
}

}  // namespace

std::vector<Case> layer_norm_cases() {
  std::vector<Case> cases;
  for (DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (auto [rows, width] : {Sizes2{1, 16}, Sizes2{3, 7}, Sizes2{17, 64}, Sizes2{66, 65}, Sizes2{131, 48},
                               Sizes2{2, 1030}, Sizes2{32, 1024}})
      add(cases, {rows, width, dtype}, false);
    add(cases, {66, 65, dtype, true}, false);
    for (int64_t width : {1024, 4096}) add(cases, {8192, width, dtype}, true);
  }
  return cases;
}

}  // namespace glm::check
