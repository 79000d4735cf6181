// The recurrence of a bidirectional LSTM layer (Hochreiter & Schmidhuber 1997), as cpp/cpu/lstm.cpp, which
// has the formulas. For each direction and step t, with s the step before it in that direction:
//
//   forward    a = gates[t] + bias + weight · out[s], of a the gates i, f, g, o;
//              c[t] = f ∘ c[s] + i ∘ g;  out[t] = o ∘ tanh(c[t])
//   backward   from the last step to the first; then grad_weight += Σ grad_a[t] · out[s]ᵀ and
//              grad_bias += Σ grad_a[t]
//
// gates [T, 4h], bias [4h], out [T, 2h], states [2, T, 5h], float32; weight [4h, h] in the weight type. Work:
// 16 T h² operations forward, 32 T h² backward. Memory traffic: each step reads both weights once, forward
// and backward. A step is a kernel, since all of it waits for the step before; T is a few prompts. Sums have
// a fixed order: no atomics, the same bits in every run.

#include "device/element.cuh"
#include "device/reduce.cuh"
#include "kernels.h"

namespace glm::cuda {
namespace {

/// Of a pair in a kernel's parameters. Chosen, not indexed: an index takes them to local memory.
template <class T>
__device__ __forceinline__ T* one_of(T* const (&pair)[2], unsigned direction) {
  T *first = pair[0], *second = pair[1];
  return direction == 0 ? first : second;
}

constexpr int kGates = 4;
constexpr int kStates = kGates + 1;  // a and c
constexpr int kCell = kGates;

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

/// sigmoid · (1 - sigmoid), without the cancellation
__device__ __forceinline__ float sigmoid_slope(float x) {
  float power = expf(-fabsf(x));
  return power / ((1.0f + power) * (1.0f + power));
}

/// 1 - tanh², likewise
__device__ __forceinline__ float tanh_slope(float x) { return 4.0f * sigmoid_slope(2.0f * x); }

/// The place of a direction's k-th step in the sequence
__device__ __forceinline__ int64_t place_of(unsigned direction, int64_t k, int64_t steps) {
  return direction == 0 ? k : steps - 1 - k;
}

/// Block (unit, direction), of a warp for each gate.
template <class W>
__global__ void step_forward(LstmForward p, int64_t k) {
  __shared__ float a[kGates];
  int64_t h = p.width, unit = blockIdx.x;
  unsigned direction = blockIdx.y;
  int64_t now = place_of(direction, k, p.steps), before = place_of(direction, k - 1, p.steps);
  unsigned lane = threadIdx.x % kWarp, gate = threadIdx.x / kWarp;
  int64_t row = gate * h + unit;

  float product = 0;
  if (k > 0) {
    const W* weight = static_cast<const W*>(one_of(p.weights, direction)) + row * h;
    const float* last = p.out + before * 2 * h + direction * h;
    for (int64_t j = lane; j < h; j += kWarp) product += load(weight + j) * last[j];
  }
  product = warp_sum(product);
  if (lane == 0)
    a[gate] = one_of(p.gates, direction)[now * kGates * h + row] + one_of(p.biases, direction)[row] + product;
  __syncthreads();
  if (threadIdx.x != 0) return;

  auto state = [&](int64_t place) { return p.states + (direction * p.steps + place) * kStates * h + unit; };
  float i = sigmoid(a[0]), f = sigmoid(a[1]), g = tanhf(a[2]), o = sigmoid(a[3]);
  float c = i * g + (k > 0 ? f * state(before)[kCell * h] : 0.0f);
  float* kept = state(now);
  for (int q = 0; q < kGates; q++) kept[q * h] = a[q];
  kept[kCell * h] = c;
  p.out[now * 2 * h + direction * h + unit] = o * tanhf(c);
}

constexpr int kRowLanes = 8;

/// Block (kWarp units, direction). Thread (j, l) sums what flows to unit j from the rows l, l + 8, … of the
/// step behind; the workspace [2, h] has what flows to the cell.
template <class W>
__global__ void step_backward(LstmBackward p, int64_t k) {
  __shared__ float partial[kRowLanes][kWarp];
  int64_t h = p.width, unit = int64_t{blockIdx.x} * kWarp + threadIdx.x;
  unsigned direction = blockIdx.y;
  const W* weight = static_cast<const W*>(one_of(p.weights, direction));
  float* grad_gates = one_of(p.grad_gates, direction);
  bool has_behind = k + 1 < p.steps;
  int64_t now = place_of(direction, k, p.steps);

  float flow = 0;
  if (has_behind && unit < h) {
    const float* grad_a = grad_gates + place_of(direction, k + 1, p.steps) * kGates * h;
    for (int64_t row = threadIdx.y; row < kGates * h; row += kRowLanes)
      flow += load(weight + row * h + unit) * grad_a[row];
  }
  partial[threadIdx.y][threadIdx.x] = flow;
  __syncthreads();
  if (threadIdx.y != 0 || unit >= h) return;
  float grad_out = 0;
  for (int l = 0; l < kRowLanes; l++) grad_out += partial[l][threadIdx.x];
  grad_out += p.grad_out[now * 2 * h + direction * h + unit];

  auto state = [&](int64_t place) { return p.states + (direction * p.steps + place) * kStates * h + unit; };
  const float* kept = state(now);
  float i = kept[0], f = kept[h], g = kept[2 * h], o = kept[3 * h], c = kept[kCell * h];
  float last_c = k > 0 ? state(place_of(direction, k - 1, p.steps))[kCell * h] : 0.0f;
  float* to_cell = static_cast<float*>(p.workspace) + direction * h + unit;
  float grad_c = grad_out * sigmoid(o) * tanh_slope(c) + (has_behind ? *to_cell : 0.0f);
  *to_cell = grad_c * sigmoid(f);
  float* grad_a = grad_gates + now * kGates * h + unit;
  grad_a[0] = grad_c * tanhf(g) * sigmoid_slope(i);
  grad_a[h] = grad_c * last_c * sigmoid_slope(f);
  grad_a[2 * h] = grad_c * sigmoid(i) * tanh_slope(g);
  grad_a[3 * h] = grad_out * tanhf(c) * sigmoid_slope(o);
}

/// Block (row, direction): adds to a row of the weight's gradient, and to its bias's, those of all steps.
__global__ void add_weight_rows(LstmBackward p) {
  int64_t h = p.width, row = blockIdx.x;
  unsigned direction = blockIdx.y;
  auto grad_a = [&](int64_t k) {
    return one_of(p.grad_gates, direction)[place_of(direction, k, p.steps) * kGates * h + row];
  };
  if (float* weight = one_of(p.grad_weights, direction); weight != nullptr) {
    for (int64_t j = threadIdx.x; j < h; j += blockDim.x) {
      float total = 0;
      for (int64_t k = 1; k < p.steps; k++)
        total += grad_a(k) * p.out[place_of(direction, k - 1, p.steps) * 2 * h + direction * h + j];
      weight[row * h + j] += total;
    }
  }
  if (float* bias = one_of(p.grad_biases, direction); bias != nullptr && threadIdx.x == 0) {
    float total = 0;
    for (int64_t k = 0; k < p.steps; k++) total += grad_a(k);
    bias[row] += total;
  }
}

}  // namespace

void CudaKernels::run(const LstmForward& p) {
  with_weight_type(p.weight_dtype, [&](auto weight) {
    for (int64_t k = 0; k < p.steps; k++) {
      start({"lstm", {static_cast<unsigned>(p.width), 2}, kGates * kWarp}, step_forward<decltype(weight)>, p,
            k);
    }
  });
}

void CudaKernels::run(const LstmBackward& p) {
  constexpr const char* kOp = "lstm's backward";
  unsigned blocks = static_cast<unsigned>((p.width + kWarp - 1) / kWarp);
  with_weight_type(p.weight_dtype, [&](auto weight) {
    for (int64_t k = p.steps - 1; k >= 0; k--)
      start({kOp, {blocks, 2}, {kWarp, kRowLanes}}, step_backward<decltype(weight)>, p, k);
  });
  constexpr unsigned kThreads = 128;
  start({kOp, {static_cast<unsigned>(kGates * p.width), 2}, kThreads}, add_weight_rows, p);
}

size_t CudaKernels::workspace_bytes(const LstmBackward& p) const {
  return static_cast<size_t>(2 * p.width) * sizeof(float);
}

}  // namespace glm::cuda
