#include "base/error.h"
#include "check/cases.h"

namespace glm::check {
namespace {

constexpr DType kFloat = DType::kFloat32;

struct Shape {
  int64_t steps, width;
  DType weight_dtype;
  bool frozen = false;  // only the gates want a gradient

  int64_t gates() const { return 4 * width; }
};

float* random(Side& side, int64_t elements) { return static_cast<float*>(side.input(kFloat, elements)); }

float* result(Side& side, const char* name, int64_t elements, bool added_to = false) {
  return static_cast<float*>(side.result(name, kFloat, elements, added_to));
}

void run_forward(Side& side, const Shape& s) {
  LstmForward p{.weight_dtype = s.weight_dtype, .steps = s.steps, .width = s.width};
  for (int d = 0; d < 2; d++) {
    p.gates[d] = random(side, s.steps * s.gates());
    p.weights[d] = side.input(s.weight_dtype, s.gates() * s.width, 0.3f);
    p.biases[d] = random(side, s.gates());
  }
  p.states = result(side, "states", 2 * s.steps * 5 * s.width);
  p.out = result(side, "out", s.steps * 2 * s.width);
  side.run(p);
}

void run_backward(Side& side, const Shape& s) {
  LstmBackward p{.weight_dtype = s.weight_dtype, .steps = s.steps, .width = s.width};
  for (int d = 0; d < 2; d++) {
    p.weights[d] = side.input(s.weight_dtype, s.gates() * s.width, 0.3f);
    p.grad_gates[d] = result(side, "grad_gates", s.steps * s.gates());
    if (s.frozen) continue;
    p.grad_weights[d] = result(side, "grad_weights", s.gates() * s.width, true);
    p.grad_biases[d] = result(side, "grad_biases", s.gates(), true);
  }
  p.states = random(side, 2 * s.steps * 5 * s.width);
  p.out = random(side, s.steps * 2 * s.width);
  p.grad_out = random(side, s.steps * 2 * s.width);
  side.run(p);
}

void add(std::vector<Case>& cases, const Shape& s, bool large) {
  std::string shape =
      text(s.steps, "x", s.width, " ", name_of(s.weight_dtype), " weights", s.frozen ? " frozen" : "");
  double weights = 2.0 * static_cast<double>(s.gates() * s.width), steps = static_cast<double>(s.steps);
  double read = steps * weights * static_cast<double>(size_of(s.weight_dtype));
  cases.push_back({"lstm forward", shape, kFloat, large, {read, 2 * steps * weights}, [=](Side& side) {
                     run_forward(side, s);
                   }});
  cases.push_back(
      {"lstm backward", shape, kFloat, large, {read + 8 * weights, 4 * steps * weights}, [=](Side& side) {
         run_backward(side, s);
       }});
}

}  // namespace

std::vector<Case> lstm_cases() {
  std::vector<Case> cases;
  for (auto [steps, width] : {Sizes2{1, 1}, Sizes2{1, 7}, Sizes2{2, 8}, Sizes2{5, 33}, Sizes2{9, 64}})
    add(cases, {steps, width, kFloat}, false);
  add(cases, {3, 70, DType::kBFloat16}, false);
  add(cases, {3, 70, DType::kFloat16, true}, false);
  for (DType weights : {kFloat, DType::kBFloat16}) add(cases, {20, 1024, weights}, true);
  return cases;
}

}  // namespace glm::check
