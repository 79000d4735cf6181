// Span construction: PlanSpans decides what is masked, LayOutSpans writes the examples.
//
//   text        [CLS] a b c d e f                     spans b c | e, Part B in the order e | b c
//   ids         [CLS] a [M] d [M] f  |  sop e  | sop b c          Part A | Part B
//   targets       ·   ·  ·  ·  ·  ·  |   e eop |  b  c eop
//   positions     0   1  2  3  4  5  |   4  4  |  2  2  2
//   block         0   0  0  0  0  0  |   1  2  |  1  2  3
//
// Rules: cpp/base/spans, the CPU's code; source: GLM paper, sections 2.1 and 2.2, and the original's
// ConstructBlockStrategy. Types: int32, integer arithmetic throughout, so the CPU's bits. Work: some
// twenty-five Philox blocks and two sorts of two dozen numbers for a text of 512 tokens. Memory: 4 bytes are
// read and about 19 written for each token of text.
//
// Each is one launch for the whole batch. The draws of an example follow one another, so one thread plans it,
// in a block of its own that no other example's branches delay; a block of threads lays it out.

#include "base/spans/layout.h"
#include "base/spans/sample.h"
#include "kernels.h"

namespace glm::cuda {
namespace {

constexpr int kLanes = 128;

__global__ void plan(PlanSpans p, int64_t scratch_bytes) {
  int64_t e = blockIdx.x;
  spans::Scratch scratch = spans::scratch_at(static_cast<char*>(p.workspace) + e * scratch_bytes, p.strategy);
  int32_t row = p.rows[e], from = p.row_offsets[row];
  SpanText text{p.strategy.cls, p.row_offsets[row + 1] - from + 1, p.tokens + from};
  int64_t first_span = e * p.strategy.span_capacity;
  spans::plan_example(p.strategy, p.seed, p.first_sample + row, p.parts[e], text, p.tokens, scratch,
                      p.plans[e], p.masked + first_span, p.orders + first_span);
}

__global__ void lay_out(LayOutSpans p) {
  int64_t e = blockIdx.x;
  const SpanPlan plan = p.plans[e];
  const MaskedSpan* masked = p.masked + e * p.strategy.span_capacity;
  const int32_t* order = p.orders + e * p.strategy.span_capacity;
  int32_t at = p.offsets[e];
  spans::ExampleOut out{p.ids + at, p.positions + at, p.block_positions + at, p.targets + at,
                        p.loss_mask + at};
  SpanText text{plan.first_token, plan.text_length, p.tokens + plan.body_begin};
  spans::Lanes<kLanes> lane{static_cast<int32_t>(threadIdx.x)};
  spans::lay_out_example(p.strategy, plan, text, masked, order, out, lane);
  if (plan.objective != SpanObjective::kBlank || plan.form != SpanForm::kBlanks) return;
  __syncthreads();  // the example is there before tokens of it are replaced
  if (p.strategy.span_mask != 0) {
    spans::mask_span_tokens(p.strategy, plan, p.seed, masked, order, out, lane);
  }
  if (p.strategy.context_budget != nullptr && lane.index == 0) {
    spans::mask_context(p.strategy, plan, p.seed, masked, out);
  }
}

}  // namespace

size_t CudaKernels::workspace_bytes(const PlanSpans& p) const {
  return static_cast<size_t>(p.examples * spans::scratch_bytes(p.strategy));
}

void CudaKernels::run(const PlanSpans& p) {
  start({"planSpans", static_cast<unsigned>(p.examples), 1}, plan, p, spans::scratch_bytes(p.strategy));
}

void CudaKernels::run(const LayOutSpans& p) {
  start({"layOutSpans", static_cast<unsigned>(p.examples), kLanes}, lay_out, p);
}

}  // namespace glm::cuda
