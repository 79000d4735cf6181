// The peaks that kernels are compared with, measured: a copy through memory, and registers multiplied and
// added as fast as they can be.

#include <functional>

#include "check/peaks.h"
#include "device/tensor_core.cuh"
#include "host/launch.h"

namespace glm::check {
namespace {

constexpr int kThreads = 256, kChains = 16;

/// Each thread has kChains sums that wait only for themselves.
__global__ void multiply_floats(int rounds, float factor, float* out) {
  float sums[kChains];
  for (int i = 0; i < kChains; i++) sums[i] = static_cast<float>(threadIdx.x + i);
  for (int round = 0; round < rounds; round++) {
#pragma unroll
    for (int i = 0; i < kChains; i++) sums[i] = sums[i] * factor + 1.0f;
  }
  float total = 0;
  for (int i = 0; i < kChains; i++) total += sums[i];
  out[blockIdx.x * kThreads + threadIdx.x] = total;
}

__global__ void multiply_matrices(int rounds, uint32_t factors, float* out) {
  float sums[kChains][4] = {};
  uint32_t a[4] = {factors, factors, factors, factors};
  for (int round = 0; round < rounds; round++) {
#pragma unroll
    for (int i = 0; i < kChains; i++) cuda::multiply_add(sums[i], a, factors, factors);
  }
  float total = 0;
  for (int i = 0; i < kChains; i++) total += sums[i][0] + sums[i][1] + sums[i][2] + sums[i][3];
  out[blockIdx.x * kThreads + threadIdx.x] = total;
}

/// Device memory that ends with the scope.
class Memory {
 public:
  explicit Memory(size_t bytes) { cuda::check(cudaMalloc(&data_, bytes), "taking memory"); }
  ~Memory() { cudaFree(data_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
};

}  // namespace

double milliseconds(const cuda::Queue& queue, int most, const std::function<void()>& work) {
  constexpr double kEnough = 30;
  cudaEvent_t begin, end;
  cuda::check(cudaEventCreate(&begin), "making an event");
  cuda::check(cudaEventCreate(&end), "making an event");
  work();
  double each = 0;
  for (int times = 1;; times *= 4) {
    if (times > most) times = most;
    cuda::check(cudaEventRecord(begin, queue.stream()), "recording an event");
    for (int i = 0; i < times; i++) work();
    cuda::check(cudaEventRecord(end, queue.stream()), "recording an event");
    cuda::check(cudaEventSynchronize(end), "the kernels that are timed");
    float elapsed = 0;
    cuda::check(cudaEventElapsedTime(&elapsed, begin, end), "reading a time");
    each = static_cast<double>(elapsed) / times;
    if (static_cast<double>(elapsed) >= kEnough || times == most) break;
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  return each;
}

Peaks measure_peaks(const cuda::Queue& queue, bool small) {
  int most = small ? 1 : 1000, rounds = small ? 2 : 4096;
  int blocks = queue.properties().multiProcessorCount * (small ? 1 : 8);
  double seconds = 1e-3;

  size_t bytes = size_t{small ? 1u : 1024u} << 20;
  Memory from(bytes), to(bytes);
  double copy = milliseconds(queue, most, [&] {
    cuda::check(
        cudaMemcpyAsync(to.as<void>(), from.as<void>(), bytes, cudaMemcpyDeviceToDevice, queue.stream()),
        "a copy");
  });

  Memory out(static_cast<size_t>(blocks) * kThreads * sizeof(float));
  cuda::Launch launch{"measuring the peaks", static_cast<unsigned>(blocks), kThreads};
  double floats = milliseconds(
      queue, most, [&] { cuda::start(queue, launch, multiply_floats, rounds, 0.999f, out.as<float>()); });
  double matrices = milliseconds(queue, most, [&] {
    cuda::start(queue, launch, multiply_matrices, rounds, 0x3c003c00u, out.as<float>());
  });

  double chains = static_cast<double>(blocks) * rounds * kChains;
  return {2 * static_cast<double>(bytes) / (copy * seconds), 2 * chains * kThreads / (floats * seconds),
          2 * chains * (kThreads / 32) * 16 * 8 * 16 / (matrices * seconds)};
}

}  // namespace glm::check
