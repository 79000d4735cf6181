#include "base/error.h"
#include "check/cases.h"

namespace glm::check {
namespace {

struct Shape {
  int64_t rows, in, out;
  DType dtype, weight_dtype;
  Activation activation = Activation::kNone;
  bool residual = false;
  double dropout = 0;

  std::string name() const {
    return text(rows, "x", in, "x", out, weight_dtype == dtype ? "" : " mixed",
                activation == Activation::kNone ? "" : " activation", residual ? " residual" : "",
                dropout > 0 ? " dropout" : "");
  }
  double products(int count) const { return 2.0 * count * static_cast<double>(rows * in * out); }
  bool tensor_cores() const { return dtype == DType::kBFloat16 && weight_dtype == dtype; }
};

void forward(Side& side, const Shape& s) {
  side.run(LinearForward{.dtype = s.dtype,
                         .weight_dtype = s.weight_dtype,
                         .rows = s.rows,
                         .in = s.in,
                         .out = s.out,
                         .activation = s.activation,
                         .x = side.input(s.dtype, s.rows * s.in, 3),
                         .weight = side.input(s.weight_dtype, s.out * s.in),
                         .bias = static_cast<float*>(side.input(DType::kFloat32, s.out)),
                         .residual = s.residual ? side.input(s.dtype, s.rows * s.out) : nullptr,
                         .dropout = make_dropout(s.dropout, 7, 8),
                         .y = side.result("y", s.dtype, s.rows * s.out)});
}

void backward(Side& side, const Shape& s) {
  side.run(LinearBackward{
      .dtype = s.dtype,
      .weight_dtype = s.weight_dtype,
      .rows = s.rows,
      .in = s.in,
      .out = s.out,
      .activation = s.activation,
      .x = side.input(s.dtype, s.rows * s.in, 3),
      .weight = side.input(s.weight_dtype, s.out * s.in),
      .dropout = make_dropout(s.dropout, 7, 8),
      .grad_y = side.input(s.dtype, s.rows * s.out),
      .accumulate = s.residual,
      .grad_x = side.result("grad_x", s.dtype, s.rows * s.in, s.residual),
      .grad_weight = static_cast<float*>(side.result("grad_weight", DType::kFloat32, s.out * s.in, true)),
      .grad_bias = static_cast<float*>(side.result("grad_bias", DType::kFloat32, s.out, true))});
}

void add(std::vector<Case>& cases, const Shape& s, bool large) {
  double x = static_cast<double>(s.rows * s.in * size_of(s.dtype));
  double y = static_cast<double>(s.rows * s.out * size_of(s.dtype));
  double elements = static_cast<double>(s.in * s.out);
  double weight = elements * static_cast<double>(size_of(s.weight_dtype));
  cases.push_back({"linear forward",
                   s.name(),
                   s.dtype,
                   large,
                   {x + weight + y * (s.residual ? 2 : 1), s.products(1), s.tensor_cores()},
                   [s](Side& side) { forward(side, s); }});
  cases.push_back({"linear backward",
                   s.name(),
                   s.dtype,
                   large,
                   {2 * x + y + weight + 8 * elements, s.products(2), s.tensor_cores()},
                   [s](Side& side) { backward(side, s); }});
}

}  // namespace

std::vector<Case> linear_cases() {
  std::vector<Case> cases;
  constexpr DType f32 = DType::kFloat32, bf16 = DType::kBFloat16, f16 = DType::kFloat16;
  // Odd and even sizes; thin tiles, several small ones, a depth in parts.
  for (DType dtype : {f32, bf16}) {
    for (auto [rows, in, out] :
         {Sizes3{1, 1, 1}, Sizes3{1, 40, 72}, Sizes3{3, 7, 17}, Sizes3{16, 520, 64}, Sizes3{17, 33, 64},
          Sizes3{66, 65, 31}, Sizes3{131, 96, 200}, Sizes3{65, 1024, 8}, Sizes3{700, 24, 40},
          Sizes3{16, 512, 256}, Sizes3{256, 512, 256}, Sizes3{512, 96, 512}, Sizes3{1100, 24, 200}}) {
      add(cases, {rows, in, out, dtype, dtype}, false);
    }
    add(cases, {66, 72, 64, dtype, dtype, Activation::kGeluTanh, true, 0.3}, false);
    add(cases, {66, 65, 31, dtype, dtype, Activation::kGeluErf, true, 0.3}, false);
    add(cases, {33, 64, 192, dtype, dtype, Activation::kTanh, false, 0.1}, false);
    add(cases, {65, 1024, 8, dtype, dtype, Activation::kNone, true, 0.3}, false);
    add(cases, {20, 24, 40, dtype, f16, Activation::kRelu}, false);
  }
  add(cases, {20, 24, 40, bf16, f32}, false);
  add(cases, {20, 24, 40, f32, bf16}, false);
  // Wide tiles: many of them.
  for (DType dtype : {f32, bf16}) {
    for (auto [rows, in, out] : {Sizes3{2048, 2048, 2048}, Sizes3{4100, 1028, 1030}}) {
      add(cases, {rows, in, out, dtype, dtype}, true);
    }
  }
  // GLM-large and GLM-10b, 16 examples of 512 tokens; a step of decoding.
  for (int64_t width : {1024, 4096}) {
    add(cases, {8192, width, 3 * width, bf16, bf16}, true);
    add(cases, {8192, width, width, bf16, bf16, Activation::kNone, true, 0.1}, true);
    add(cases, {8192, width, 4 * width, bf16, bf16}, true);
    add(cases, {8192, 4 * width, width, bf16, bf16, Activation::kGeluTanh, true, 0.1}, true);
    add(cases, {8, width, 4 * width, bf16, bf16}, true);
  }
  return cases;
}

}  // namespace glm::check
