#include "base/error.h"
#include "check/cases.h"

namespace glm::check {
namespace {

constexpr DType kFloat = DType::kFloat32;

float* random(Side& side, int64_t elements) { return static_cast<float*>(side.input(kFloat, elements)); }

void add(std::vector<Case>& cases, const std::vector<int64_t>& sizes, bool large) {
  int64_t elements = 0;
  for (int64_t size : sizes) elements += size;
  std::string shape = text(sizes.size(), " tensors of ", elements);
  double bytes = 4.0 * static_cast<double>(elements);
  cases.push_back({"squared norm", shape, kFloat, large, {bytes, 0}, [=](Side& side) {
                     auto spans = std::make_shared<std::vector<FloatSpan>>();
                     for (int64_t size : sizes) spans->push_back({random(side, size), size});
                     side.keep(spans);
                     side.run(SquaredNorm{.tensors = spans->data(),
                                          .count = static_cast<int64_t>(spans->size()),
                                          .result = side.doubles("result", 1)});
                   }});
  cases.push_back(
      {"AdamW", shape, kFloat, large, {7 * bytes + bytes / 2, 0}, [=](Side& side) {
         auto tensors = std::make_shared<std::vector<AdamWTensor>>();
         for (int64_t size : sizes) {
           tensors->push_back(
               {.parameter = static_cast<float*>(side.result("parameter", kFloat, size, true)),
                .gradient = random(side, size),
                .first_moment = static_cast<float*>(side.result("first moment", kFloat, size, true)),
                .second_moment = side.copy(std::vector<float>(static_cast<size_t>(size), 0.25f)),
                .low_precision = side.result("low precision", DType::kBFloat16, size),
                .elements = size,
                .decay = size > 100});
         }
         side.keep(tensors);
         side.run(AdamW{.tensors = tensors->data(),
                        .count = static_cast<int64_t>(tensors->size()),
                        .rate = 1e-2f,
                        .beta1 = 0.9f,
                        .beta2 = 0.999f,
                        .epsilon = 1e-8f,
                        .weight_decay = 0.1f,
                        .complement1 = 0.1f,
                        .complement2 = 0.001f,
                        .correction1 = 0.19f,
                        .correction2 = 0.002f,
                        .gradient_scale = 0.5f});
       }});
}

}  // namespace

std::vector<Case> optimizer_cases() {
  std::vector<Case> cases;
  add(cases, {1}, false);
  add(cases, {7, 20000, 64, 1025}, false);
  std::vector<int64_t> large;
  for (int layer = 0; layer < 24; layer++) {
    for (int64_t size : {3 << 20, 3072, 1 << 20, 1024, 1024, 1024, 4 << 20, 4096, 4 << 20, 1024, 1024, 1024})
      large.push_back(size);
  }
  add(cases, large, true);
  return cases;
}

}  // namespace glm::check
