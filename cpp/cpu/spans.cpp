// Span construction: PlanSpans decides what is masked, LayOutSpans writes the examples.
//
//   text        [CLS] a b c d e f                     spans b c | e, Part B in the order e | b c
//   ids         [CLS] a [M] d [M] f  |  sop e  | sop b c          Part A | Part B
//   targets       ·   ·  ·  ·  ·  ·  |   e eop |  b  c eop
//   positions     0   1  2  3  4  5  |   4  4  |  2  2  2
//   block         0   0  0  0  0  0  |   1  2  |  1  2  3
//
// Rules: cpp/base/spans, shared with CUDA; source: GLM paper, sections 2.1 and 2.2, and the original's
// ConstructBlockStrategy. Types: int32, integer arithmetic throughout. Work: some twenty-five Philox blocks
// and two sorts of two dozen numbers for a text of 512 tokens. Memory: 4 bytes are read and about 19 written
// for each token of text.

#include "base/spans/layout.h"
#include "base/spans/sample.h"
#include "cpu/kernels.h"

namespace glm::GLM_ISA {
namespace {

// Pieces of equal work; each has scratch of its own.
constexpr int64_t kMostPieces = 64;
constexpr int64_t kExamplesOfPiece = 16;

int64_t examples_of_piece(int64_t examples) {
  int64_t share = (examples + kMostPieces - 1) / kMostPieces;
  return share > kExamplesOfPiece ? share : kExamplesOfPiece;
}

}  // namespace

size_t CpuKernels::workspace_bytes(const PlanSpans& p) const {
  int64_t pieces = (p.examples + kExamplesOfPiece - 1) / kExamplesOfPiece;
  return static_cast<size_t>((pieces < kMostPieces ? pieces : kMostPieces) *
                             spans::scratch_bytes(p.strategy));
}

void CpuKernels::run(const PlanSpans& p) {
  int64_t grain = examples_of_piece(p.examples);
  parallel_.ranges(p.examples, grain, [&](int64_t begin, int64_t end) {
    char* workspace = static_cast<char*>(p.workspace) + begin / grain * spans::scratch_bytes(p.strategy);
    spans::Scratch scratch = spans::scratch_at(workspace, p.strategy);
    for (int64_t e = begin; e < end; e++) {
      int32_t row = p.rows[e], from = p.row_offsets[row];
      SpanText text{p.strategy.cls, p.row_offsets[row + 1] - from + 1, p.tokens + from};
      int64_t first_span = e * p.strategy.span_capacity;
      spans::plan_example(p.strategy, p.seed, p.first_sample + row, p.parts[e], text, p.tokens, scratch,
                          p.plans[e], p.masked + first_span, p.orders + first_span);
    }
  });
}

void CpuKernels::run(const LayOutSpans& p) {
  parallel_.ranges(p.examples, examples_of_piece(p.examples), [&](int64_t begin, int64_t end) {
    for (int64_t e = begin; e < end; e++) {
      const SpanPlan& plan = p.plans[e];
      const MaskedSpan* masked = p.masked + e * p.strategy.span_capacity;
      const int32_t* order = p.orders + e * p.strategy.span_capacity;
      int32_t at = p.offsets[e];
      spans::ExampleOut out{p.ids + at, p.positions + at, p.block_positions + at, p.targets + at,
                            p.loss_mask + at};
      SpanText text{plan.first_token, plan.text_length, p.tokens + plan.body_begin};
      spans::Lanes<1> lane{0};
      spans::lay_out_example(p.strategy, plan, text, masked, order, out, lane);
      if (plan.objective == SpanObjective::kBlank && plan.form == SpanForm::kBlanks) {
        if (p.strategy.span_mask != 0) {
          spans::mask_span_tokens(p.strategy, plan, p.seed, masked, order, out, lane);
        }
        if (p.strategy.context_budget != nullptr) spans::mask_context(p.strategy, plan, p.seed, masked, out);
      }
    }
  });
}

}  // namespace glm::GLM_ISA
