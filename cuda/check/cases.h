#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "check/side.h"

namespace glm::check {

using Sizes2 = std::array<int64_t, 2>;
using Sizes3 = std::array<int64_t, 3>;

/// What a kernel has to move and to compute, at the least.
struct Work {
  double bytes = 0;
  double operations = 0;      // a multiplication and an addition are two
  bool tensor_cores = false;  // where the operations run
};

struct Case {
  std::string op;
  std::string shape;
  DType dtype;
  bool large;  // worth timing; too much for a simulated device
  Work work;
  std::function<void(Side&)> run;
  bool exact = false;  // the same bits as the CPU
};

// A file of this folder each.
std::vector<Case> memory_cases();
std::vector<Case> span_cases();
std::vector<Case> embedding_cases();
std::vector<Case> lstm_cases();
std::vector<Case> layer_norm_cases();
std::vector<Case> linear_cases();
std::vector<Case> attention_cases();
std::vector<Case> decoding_cases();
std::vector<Case> cross_entropy_cases();
std::vector<Case> optimizer_cases();

/// Each of a shape's parts in describe's words; of more than three, how many they are and the first.
template <class Part, class Describe>
std::string list_of(const std::vector<Part>& parts, const Describe& describe) {
  if (parts.size() > 3) return text(parts.size(), " of ", describe(parts[0]));
  std::string all;
  for (const Part& part : parts) all += text(all.empty() ? "" : "+", describe(part));
  return all;
}

/// Cosine and sine of position · 10000^(-4j/D), [positions, D/4, 2].
std::vector<float> rotary_table(int64_t positions, int64_t width);

inline const char* short_name(DType dtype) {
  return dtype == DType::kBFloat16 ? "bf16" : dtype == DType::kInt32 ? "i32" : "f32";
}

}  // namespace glm::check
