// The recurrence of a bidirectional LSTM layer (Hochreiter & Schmidhuber 1997, with forget gates), which the
// prompts of P-tuning come out of (`model/prompt.py` of the original). For each direction and step t, with s
// the step before it in that direction:
//
//   forward    a = gates[t] + bias + weight · out[s];  i, f, o = sigmoid and g = tanh of its quarters i f g o
//              c[t] = f ∘ c[s] + i ∘ g;  out[t] = o ∘ tanh(c[t]);  before the first step out = c = 0
//   backward   from the last step to the first, with u the step behind: d_out = grad_out[t] + weightᵀ ·
//   grad_a[u],
//              d_c = d_out ∘ o ∘ (1 - tanh²(c[t])) + d_c[u] ∘ f[u];  grad_gates[t] = grad_a by these;
//              grad_weight += Σ grad_a[t] · out[s]ᵀ,  grad_bias += Σ grad_a[t]
//
// gates [T, 4h] (what the inputs give), bias [4h], out [T, 2h] with the directions side by side, all float32;
// weight [4h, h] in the weight type. a and c are kept for the backward. Work:
// 16 T h² operations forward, 32 T h² backward. Memory traffic: each step reads both weights once, forward
// and backward. T is a few prompts, so a step's products are shared out among the threads, and one step
// follows the other. Pieces do not depend on the number of threads.

#include "cpu/element_type.h"
#include "cpu/kernels.h"
#include "cpu/vector_math.h"

namespace glm::GLM_ISA {
namespace {

constexpr int64_t kGates = 4;
constexpr int64_t kStates = kGates + 1;  // a and c
constexpr int64_t kCell = kGates;

GLM_INLINE Floats sigmoid(Floats x) { return 1.0f / (1.0f + exp(-x)); }

/// sigmoid · (1 - sigmoid), without the cancellation
GLM_INLINE Floats sigmoid_slope(Floats x) {
  Floats power = exp(-absolute(x));
  return power / ((1.0f + power) * (1.0f + power));
}

/// 1 - tanh², likewise
GLM_INLINE Floats tanh_slope(Floats x) { return 4.0f * sigmoid_slope(2.0f * x); }

/// The place of a direction's k-th step in the sequence; -1 before the first
GLM_INLINE int64_t place_of(int direction, int64_t k, int64_t steps) {
  return k < 0 ? -1 : direction == 0 ? k : steps - 1 - k;
}

template <class Params>
GLM_INLINE auto* state_of(const Params& p, int direction, int64_t place) {
  return p.states + (direction * p.steps + place) * kStates * p.width;
}

template <class W>
GLM_INLINE float dot(const W* a, const float* b, int64_t count) {
  Floats total{};
  for (int64_t j = 0; j < count; j += kLanes)
    total += load_upto(a + j, count - j) * load_upto(b + j, count - j);
  return sum(total);
}

/// Units [first, first + kLanes) of a direction's k-th step.
template <class W>
void step_forward(const LstmForward& p, int direction, int64_t k, int64_t first) {
  int64_t h = p.width, lanes = h - first, units = lanes < kLanes ? lanes : kLanes;
  int64_t now = place_of(direction, k, p.steps), before = place_of(direction, k - 1, p.steps);
  const float* gates = p.gates[direction] + now * kGates * h;
  const W* weight = static_cast<const W*>(p.weights[direction]);
  const float* last = p.out + before * 2 * h + direction * h;

  Floats a[kGates];
  for (int64_t q = 0; q < kGates; q++) {
    int64_t row = q * h + first;
    float products[kLanes] = {};
    for (int64_t j = 0; before >= 0 && j < units; j++) products[j] = dot(weight + (row + j) * h, last, h);
    a[q] = load_upto(gates + row, lanes) + load_upto(p.biases[direction] + row, lanes) + load(products);
  }
  Floats i = sigmoid(a[0]), f = sigmoid(a[1]), g = tanh(a[2]), o = sigmoid(a[3]), c = i * g;
  if (before >= 0) c += f * load_upto(state_of(p, direction, before) + kCell * h + first, lanes);
  float* state = state_of(p, direction, now) + first;
  for (Floats value : {a[0], a[1], a[2], a[3], c}) {
    store_upto(state, value, lanes);
    state += h;
  }
  store_upto(p.out + now * 2 * h + direction * h + first, o * tanh(c), lanes);
}

/// The gradients of a direction's k-th step by the gates' inputs, of units [first, first + kLanes). The
/// workspace [2, h] has what flows to the cell from the step behind.
template <class W>
void step_backward(const LstmBackward& p, int direction, int64_t k, int64_t first) {
  int64_t h = p.width, lanes = h - first;
  int64_t now = place_of(direction, k, p.steps), before = place_of(direction, k - 1, p.steps);
  Floats grad_out{}, grad_c{};
  float* flow = static_cast<float*>(p.workspace) + direction * h + first;
  if (k + 1 < p.steps) {
    const W* weight = static_cast<const W*>(p.weights[direction]) + first;
    const float* grad_a = p.grad_gates[direction] + place_of(direction, k + 1, p.steps) * kGates * h;
    for (int64_t row = 0; row < kGates * h; row++)
      grad_out += load_upto(weight + row * h, lanes) * grad_a[row];
    grad_c = load_upto(flow, lanes);
  }
  grad_out += load_upto(p.grad_out + now * 2 * h + direction * h + first, lanes);
  auto kept = [&](int64_t place, int64_t q) {
    return load_upto(state_of(p, direction, place) + q * h + first, lanes);
  };
  Floats i = kept(now, 0), f = kept(now, 1), g = kept(now, 2), o = kept(now, 3), c = kept(now, kCell);
  Floats last_c = before < 0 ? Floats{} : kept(before, kCell);
  grad_c += grad_out * sigmoid(o) * tanh_slope(c);
  store_upto(flow, grad_c * sigmoid(f), lanes);

  float* out = p.grad_gates[direction] + now * kGates * h + first;
  for (Floats grad_a : {grad_c * tanh(g) * sigmoid_slope(i), grad_c * last_c * sigmoid_slope(f),
                        grad_c * sigmoid(i) * tanh_slope(g), grad_out * tanh(c) * sigmoid_slope(o)}) {
    store_upto(out, grad_a, lanes);
    out += h;
  }
}

/// Adds to the gradients of a row of a direction's weight, and of its bias, those of all steps.
void add_weight_row(const LstmBackward& p, int direction, int64_t row) {
  int64_t h = p.width;
  for (int64_t k = 0; k < p.steps; k++) {
    float grad_a = p.grad_gates[direction][place_of(direction, k, p.steps) * kGates * h + row];
    if (p.grad_biases[direction] != nullptr) p.grad_biases[direction][row] += grad_a;
    if (p.grad_weights[direction] == nullptr || k == 0) continue;
    const float* last = p.out + place_of(direction, k - 1, p.steps) * 2 * h + direction * h;
    float* target = p.grad_weights[direction] + row * h;
    for (int64_t j = 0; j < h; j += kLanes)
      store_upto(target + j, load_upto(target + j, h - j) + load_upto(last + j, h - j) * grad_a, h - j);
  }
}

int64_t pieces_of(int64_t width) { return (width + kLanes - 1) / kLanes; }

}  // namespace

void CpuKernels::run(const LstmForward& p) {
  int64_t pieces = pieces_of(p.width);
  with_weight_type(p.weight_dtype, [&](auto weight) {
    for (int64_t k = 0; k < p.steps; k++) {
      parallel_.parts(2 * pieces, [&](int64_t part) {
        step_forward<decltype(weight)>(p, static_cast<int>(part / pieces), k, part % pieces * kLanes);
      });
    }
  });
}

void CpuKernels::run(const LstmBackward& p) {
  int64_t pieces = pieces_of(p.width), rows = kGates * p.width;
  with_weight_type(p.weight_dtype, [&](auto weight) {
    for (int64_t k = p.steps - 1; k >= 0; k--) {
      parallel_.parts(2 * pieces, [&](int64_t part) {
        step_backward<decltype(weight)>(p, static_cast<int>(part / pieces), k, part % pieces * kLanes);
      });
    }
  });
  parallel_.ranges(2 * rows, rows_per_piece(p.width * p.steps), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) add_weight_row(p, static_cast<int>(row / rows), row % rows);
  });
}

size_t CpuKernels::workspace_bytes(const LstmBackward& p) const {
  return static_cast<size_t>(2 * p.width) * sizeof(float);
}

}  // namespace glm::GLM_ISA
