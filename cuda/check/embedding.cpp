#include "base/error.h"
#include "check/cases.h"

namespace glm::check {
namespace {

struct Shape {
  int64_t tokens, width, vocabulary, positions;
  DType dtype, weight_dtype;
  double dropout = 0;

  /// Ids from here on are prompts; the last few where there are several.
  int64_t words() const { return vocabulary - prompts(); }
  int64_t prompts() const { return vocabulary < 8 ? 0 : 4; }
};

void add(std::vector<Case>& cases, const Shape& s, bool large) {
  std::string shape = text(s.tokens, "x", s.width, " of ", s.vocabulary,
                           s.weight_dtype == s.dtype ? "" : " mixed", s.dropout > 0 ? " dropout" : "");
  double out = static_cast<double>(s.tokens * s.width * size_of(s.dtype));
  double table = 4.0 * static_cast<double>(s.tokens * s.width);
  cases.push_back(
      {"embedding forward", shape, s.dtype, large, {2 * out, 0}, [=](Side& side) {
         auto* prompts = static_cast<const float*>(side.input(DType::kFloat32, s.prompts() * s.width));
         side.run(EmbeddingForward{.dtype = s.dtype,
                                   .weight_dtype = s.weight_dtype,
                                   .tokens = s.tokens,
                                   .width = s.width,
                                   .ids = side.integers(s.tokens, s.vocabulary),
                                   .positions = side.integers(s.tokens, s.positions),
                                   .block_positions = side.integers(s.tokens, s.positions),
                                   .vocabulary = s.words(),
                                   .words = side.input(s.weight_dtype, s.words() * s.width),
                                   .prompts = s.prompts() == 0 ? nullptr : prompts,
                                   .position_table = side.input(s.weight_dtype, s.positions * s.width),
                                   .block_table = side.input(s.weight_dtype, s.positions * s.width),
                                   .dropout = make_dropout(s.dropout, 3, 4),
                                   .out = side.result("out", s.dtype, s.tokens * s.width)});
       }});
  cases.push_back({"embedding backward", shape, s.dtype, large, {3 * out + 2 * table, 0}, [=](Side& side) {
                     auto gradient = [&](const char* name, int64_t rows) {
                       return static_cast<float*>(side.result(name, DType::kFloat32, rows * s.width, true));
                     };
                     side.run(EmbeddingBackward{
                         .dtype = s.dtype,
                         .tokens = s.tokens,
                         .width = s.width,
                         .vocabulary = s.words(),
                         .position_rows = s.positions,
                         .ids = side.integers(s.tokens, s.vocabulary),
                         .positions = side.integers(s.tokens, s.positions),
                         .block_positions = side.integers(s.tokens, s.positions),
                         .dropout = make_dropout(s.dropout, 3, 4),
                         .grad_out = side.input(s.dtype, s.tokens * s.width),
                         .grad_words = gradient("grad_words", s.words()),
                         .grad_prompts = s.prompts() == 0 ? nullptr : gradient("grad_prompts", s.prompts()),
                         .grad_positions = gradient("grad_positions", s.positions),
                         .grad_blocks = gradient("grad_blocks", s.positions)});
                   }});
}

}  // namespace

std::vector<Case> embedding_cases() {
  std::vector<Case> cases;
  for (DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    add(cases, {1, 1, 1, 1, dtype, dtype}, false);
    add(cases, {66, 65, 10, 40, dtype, dtype, 0.1}, false);
    add(cases, {131, 64, 5000, 129, dtype, dtype, 0.1}, false);
    add(cases, {131, 16, 2, 1, dtype, dtype}, false);  // rows with tokens in several segments
    add(cases, {66, 65, 10, 40, dtype, DType::kFloat16, 0.1}, false);
    add(cases, {24, 1024, 500, 64, dtype, dtype}, false);
    add(cases, {8192, 1024, 50304, 513, dtype, dtype, 0.1}, true);
  }
  return cases;
}

}  // namespace glm::check
