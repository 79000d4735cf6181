#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/glm_mask.h"
#include "check/cases.h"

namespace glm::check {
namespace {

struct Example {
  int32_t length, context;
};

struct Shape {
  std::vector<Example> examples;
  int32_t heads, width;
  DType dtype;
  double dropout = 0;
  bool rotary = false;

  int32_t tokens() const {
    int32_t sum = 0;
    for (const Example& e : examples) sum += e.length;
    return sum;
  }
  double visible_pairs() const {
    int64_t sum = 0;
    for (const Example& e : examples) {
      for (int32_t row = 0; row < e.length; row++) sum += visible_columns(row + 1, e.context);
    }
    return static_cast<double>(heads * sum);
  }
  std::string name() const {
    std::string all = list_of(examples, [](const Example& e) { return text(e.length, "/", e.context); });
    return text(all, " ", heads, "x", width, dropout > 0 ? " dropout" : "", rotary ? " rotary" : "");
  }
};

/// The lengths where the kernels want them: on the host, kept by the side, and on the device.
PackedLayout layout_of(Side& side, const Shape& s) {
  struct Lengths {
    std::vector<int32_t> offsets{0}, contexts;
  };
  auto host = std::make_shared<Lengths>();
  PackedLayout layout;
  for (const Example& e : s.examples) {
    host->offsets.push_back(host->offsets.back() + e.length);
    host->contexts.push_back(e.context);
    layout.longest = std::max(layout.longest, e.length);
  }
  side.keep(host);
  layout.tokens = s.tokens();
  layout.examples = static_cast<int32_t>(s.examples.size());
  layout.offsets = side.copy(host->offsets);
  layout.contexts = side.copy(host->contexts);
  layout.host_offsets = host->offsets.data();
  layout.host_contexts = host->contexts.data();
  return layout;
}

/// What forward and backward have in common.
template <class Params>
Params attention(Side& side, const Shape& s) {
  constexpr int64_t kPositions = 40;
  int64_t tokens = s.tokens();
  Params p;
  p.dtype = s.dtype;
  p.layout = layout_of(side, s);
  p.heads = s.heads;
  p.head_width = s.width;
  p.scale = 1 / std::sqrt(static_cast<float>(s.width));
  p.qkv = side.input(s.dtype, tokens * 3 * s.heads * s.width);
  if (s.rotary) {
    p.rotary = side.copy(rotary_table(kPositions, s.width));
    p.positions = side.integers(tokens, kPositions);
    p.block_positions = side.integers(tokens, kPositions);
  }
  p.dropout = make_dropout(s.dropout, 9, uint64_t{1} << 35);
  return p;
}

void forward(Side& side, const Shape& s) {
  auto p = attention<AttentionForward>(side, s);
  p.out = side.result("out", s.dtype, p.layout.tokens * s.heads * s.width);
  p.log_sum_exp = static_cast<float*>(side.result("log_sum_exp", DType::kFloat32, s.heads * p.layout.tokens));
  side.run(p);
}

/// `out` and the sums are not those of a forward, and need not be.
///
/// Inputs are up to 1. The device rounds turned queries and keys to bfloat16, and then P and dS. That moves
/// scores by a part of |q| |k|, which is a factor of the gradients, and gradients of rows with large scores
/// are many times the typical one that the comparison allows a part of. With inputs up to 2, 33/20+1/1+70/0
/// 1x128 dropout rotary comes to 1.2 of what is allowed; the same formula in float64 with only these
/// roundings comes to 1.8 (the worst of 20 draws; 0.9 with inputs up to 1, and 0.2 without the roundings).
void backward(Side& side, const Shape& s) {
  auto p = attention<AttentionBackward>(side, s);
  int64_t elements = p.layout.tokens * s.heads * s.width;
  p.out = side.input(s.dtype, elements);
  std::vector<float> sums;  // those of neighbours differ
  for (int64_t i = 0; i < s.heads * p.layout.tokens; i++)
    sums.push_back(4.4375f + 0.03125f * static_cast<float>(i % 5));
  p.log_sum_exp = side.copy(sums);
  p.grad_out = side.input(s.dtype, elements);
  p.grad_qkv = side.result("grad_qkv", s.dtype, 3 * elements);
  side.run(p);
}

void add(std::vector<Case>& cases, const Shape& s, bool large) {
  double rows = static_cast<double>(int64_t{s.tokens()} * s.heads * s.width * size_of(s.dtype));
  double operations = 2 * s.width * s.visible_pairs();  // of one product
  bool tensor_cores = s.dtype == DType::kBFloat16 && (s.width == 64 || s.width == 128);
  cases.push_back({"attention forward",
                   s.name(),
                   s.dtype,
                   large,
                   {4 * rows, 2 * operations, tensor_cores},
                   [s](Side& side) { forward(side, s); }});
  cases.push_back({"attention backward",
                   s.name(),
                   s.dtype,
                   large,
                   {8 * rows, 5 * operations, tensor_cores},
                   [s](Side& side) { backward(side, s); }});
}

}  // namespace

std::vector<float> rotary_table(int64_t positions, int64_t width) {
  std::vector<float> table;
  for (int64_t position = 0; position < positions; position++) {
    for (int64_t j = 0; j < width / 4; j++) {
      double angle = static_cast<double>(position) *
                     std::pow(1e4, -4.0 * static_cast<double>(j) / static_cast<double>(width));
      table.push_back(static_cast<float>(std::cos(angle)));
      table.push_back(static_cast<float>(std::sin(angle)));
    }
  }
  return table;
}

std::vector<Case> attention_cases() {
  std::vector<Case> cases;
  constexpr DType f32 = DType::kFloat32, bf16 = DType::kBFloat16;
  // No context, nothing but context, and in between; one token, remainders of tiles, three tiles.
  const std::vector<Example> one{{1, 0}}, ragged{{33, 20}, {1, 1}, {70, 0}}, whole{{64, 64}, {17, 17}};
  // Tiles of which one column is hidden, or one visible.
  const std::vector<Example> borders{{70, 63}, {65, 0}};
  for (DType dtype : {f32, bf16}) {
    for (int32_t width : {64, 128, 72}) {
      for (const auto& examples : {one, ragged, whole, borders})
        add(cases, {examples, 2, width, dtype}, false);
      add(cases, {ragged, 1, width, dtype, 0.3, true}, false);
    }
    add(cases, {ragged, 3, 13, dtype, 0.1}, false);
    add(cases, {{{40, 25}, {9, 0}}, 1, 260, dtype}, false);
  }
  const std::vector<Example> several{{290, 150}, {130, 0}};  // tiles
  for (int32_t width : {64, 128}) {
    add(cases, {several, 1, width, bf16, 0.1}, false);
    add(cases, {several, 1, width, bf16, 0, true}, false);
  }
  add(cases, {several, 1, 72, f32}, false);
  // GLM-large and ChatGLM-6B's heads, Part A four fifths of 512 tokens.
  const std::vector<Example> batch(16, {512, 410});
  for (double dropout : {0.0, 0.1}) {
    add(cases, {batch, 16, 64, bf16, dropout}, true);
    add(cases, {batch, 16, 128, bf16, dropout}, true);
  }
  add(cases, {batch, 16, 128, bf16, 0, true}, true);
  add(cases, {batch, 16, 64, f32}, true);
  return cases;
}

}  // namespace glm::check
