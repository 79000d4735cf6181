// Moves without arithmetic: zero, y += x, and conversion to float32 and bfloat16 (to nearest even).
// Memory traffic: each element read and written once, neighbouring threads on neighbouring elements.

#include "device/element.cuh"
#include "device/grid.cuh"
#include "kernels.h"

namespace glm::cuda {
namespace {

constexpr int kThreads = 256;

template <class T>
__global__ void add(const T* x, T* y, int64_t elements) {
  for_each_index(elements, [&](int64_t i) { store(y + i, load(y + i) + load(x + i)); });
}

template <class From, class To>
__global__ void convert(const From* x, To* out, int64_t elements) {
  for_each_index(elements, [&](int64_t i) { store(out + i, load(x + i)); });
}

}  // namespace

void CudaKernels::run(const Zero& p) {
  if (p.bytes == 0) return;
  check(cudaMemsetAsync(p.out, 0, static_cast<size_t>(p.bytes), queue_.stream()), "zero");
}

void CudaKernels::run(const Add& p) {
  with_element_type(p.dtype, [&](auto zero) {
    using T = decltype(zero);
    start({"add", blocks_for(p.elements, kThreads), kThreads}, add<T>, static_cast<const T*>(p.x),
          static_cast<T*>(p.y), p.elements);
  });
}

void CudaKernels::run(const Cast& p) {
  with_weight_type(p.from, [&](auto from) {
    with_element_type(p.to, [&](auto to) {
      using From = decltype(from);
      using To = decltype(to);
      start({"cast", blocks_for(p.elements, kThreads), kThreads}, convert<From, To>,
            static_cast<const From*>(p.x), static_cast<To*>(p.out), p.elements);
    });
  });
}

}  // namespace glm::cuda
