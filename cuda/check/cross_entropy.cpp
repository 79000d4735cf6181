#include "base/error.h"
#include "check/cases.h"

namespace glm::check {
namespace {

struct Shape {
  int64_t rows, width, vocabulary;
  DType dtype, weight_dtype;
  float smoothing = 0;
};

void run(Side& side, const Shape& s) {
  side.run(CrossEntropy{.dtype = s.dtype,
                        .weight_dtype = s.weight_dtype,
                        .rows = s.rows,
                        .width = s.width,
                        .vocabulary = s.vocabulary,
                        .hidden = side.input(s.dtype, s.rows * s.width, 0.3f),
                        .targets = side.integers(s.rows, s.vocabulary),
                        .weights = static_cast<float*>(side.input(DType::kFloat32, s.rows)),
                        .words = side.input(s.weight_dtype, s.vocabulary * s.width),
                        .smoothing = s.smoothing,
                        .gradient_scale = 64,
                        .losses = static_cast<float*>(side.result("losses", DType::kFloat32, s.rows)),
                        .grad_hidden = side.result("grad_hidden", s.dtype, s.rows * s.width),
                        .grad_words = static_cast<float*>(
                            side.result("grad_words", DType::kFloat32, s.vocabulary * s.width, true))});
}

void add(std::vector<Case>& cases, const Shape& s, bool large) {
  double words = static_cast<double>(s.vocabulary * s.width), z = static_cast<double>(s.rows * s.vocabulary);
  double size = static_cast<double>(size_of(s.dtype));
  Work work{words * (2 * size + 8) + z * (4 + 8 + 3 * size), 6 * z * static_cast<double>(s.width),
            s.dtype == DType::kBFloat16 && s.weight_dtype == s.dtype};
  cases.push_back({"cross entropy",
                   text(s.rows, "x", s.width, "x", s.vocabulary, s.weight_dtype == s.dtype ? "" : " mixed",
                        s.smoothing > 0 ? " smoothing" : ""),
                   s.dtype, large, work, [s](Side& side) { run(side, s); }});
}

}  // namespace

std::vector<Case> cross_entropy_cases() {
  std::vector<Case> cases;
  constexpr DType f32 = DType::kFloat32, bf16 = DType::kBFloat16;
  for (DType dtype : {f32, bf16}) {
    for (auto [rows, width, vocabulary] :
         {Sizes3{1, 1, 1}, Sizes3{1, 16, 5}, Sizes3{3, 7, 17}, Sizes3{17, 33, 64}, Sizes3{5, 24, 4099}}) {
      add(cases, {rows, width, vocabulary, dtype, dtype}, false);
    }
    add(cases, {66, 64, 131, dtype, dtype, 0.1f}, false);
    add(cases, {300, 24, 40, dtype, dtype, 0.1f}, false);  // three chunks of logits on a simulated device
    add(cases, {9, 24, 40, dtype, DType::kFloat16}, false);
    add(cases, {1300, 1024, 30592, dtype, dtype, 0.1f}, true);
  }
  add(cases, {1300, 1024, 50304, bf16, bf16}, true);
  add(cases, {1300, 4096, 50304, bf16, bf16}, true);
  return cases;
}

}  // namespace glm::check
