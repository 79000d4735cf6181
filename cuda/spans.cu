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
// in a block of its own that no other example's branches delay; a block of threads lays it out. The strategy,
// larger than a kernel's parameters should be, travels through a staging slot.

#include "base/spans/layout.h"
#include "base/spans/sample.h"
#include "kernels.h"

namespace glm::cuda {
namespace {

constexpr int kLanes = 128;

__global__ void plan(const SpanStrategy* __restrict__ given, uint64_t seed, int32_t first_sample,
                     const int32_t* rows, const int32_t* parts, const int32_t* tokens,
                     const int32_t* row_offsets, SpanPlan* plans, MaskedSpan* masked, int32_t* orders,
                     char* workspace) {
  const SpanStrategy strategy = *given;
  int64_t e = blockIdx.x;
  spans::Scratch scratch = spans::scratch_at(workspace + e * spans::scratch_bytes(strategy), strategy);
  int32_t row = rows[e], from = row_offsets[row];
  SpanText text{strategy.cls, row_offsets[row + 1] - from + 1, tokens + from};
  int64_t first_span = e * strategy.span_capacity;
  spans::plan_example(strategy, seed, first_sample + row, parts[e], text, tokens, scratch, plans[e],
                      masked + first_span, orders + first_span);
}

__global__ void lay_out(const SpanStrategy* __restrict__ given, uint64_t seed, const int32_t* tokens,
                        const SpanPlan* plans, const MaskedSpan* all_masked, const int32_t* orders,
                        const int32_t* offsets, int32_t* ids, int32_t* positions, int32_t* block_positions,
                        int32_t* targets, uint8_t* loss_mask) {
  const SpanStrategy strategy = *given;
  int64_t e = blockIdx.x;
  const SpanPlan plan = plans[e];
  const MaskedSpan* masked = all_masked + e * strategy.span_capacity;
  const int32_t* order = orders + e * strategy.span_capacity;
  int32_t at = offsets[e];
  spans::ExampleOut out{ids + at, positions + at, block_positions + at, targets + at, loss_mask + at};
  SpanText text{plan.first_token, plan.text_length, tokens + plan.body_begin};
  spans::Lanes<kLanes> lane{static_cast<int32_t>(threadIdx.x)};
  spans::lay_out_example(strategy, plan, text, masked, order, out, lane);
  if (plan.objective != SpanObjective::kBlank || plan.form != SpanForm::kBlanks) return;
  __syncthreads();  // the example is there before tokens of it are replaced
  if (strategy.span_mask != 0) {
    spans::mask_span_tokens(strategy, plan, seed, masked, order, out, lane);
  }
  if (strategy.context_budget != nullptr && lane.index == 0) {
    spans::mask_context(strategy, plan, seed, masked, out);
  }
}

}  // namespace

size_t CudaKernels::workspace_bytes(const PlanSpans& p) const {
  return static_cast<size_t>(p.examples * spans::scratch_bytes(p.strategy));
}

void CudaKernels::run(const PlanSpans& p) {
  queue_.with_staged(&p.strategy, sizeof(p.strategy), [&](const void* strategy) {
    start({"planSpans", static_cast<unsigned>(p.examples), 1}, plan,
          static_cast<const SpanStrategy*>(strategy), p.seed, p.first_sample, p.rows, p.parts, p.tokens,
          p.row_offsets, p.plans, p.masked, p.orders, static_cast<char*>(p.workspace));
  });
}

void CudaKernels::run(const LayOutSpans& p) {
  queue_.with_staged(&p.strategy, sizeof(p.strategy), [&](const void* strategy) {
    start({"layOutSpans", static_cast<unsigned>(p.examples), kLanes}, lay_out,
          static_cast<const SpanStrategy*>(strategy), p.seed, p.tokens, p.plans, p.masked, p.orders,
          p.offsets, p.ids, p.positions, p.block_positions, p.targets, p.loss_mask);
  });
}

}  // namespace glm::cuda
