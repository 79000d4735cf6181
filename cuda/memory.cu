// Moves without arithmetic: zero, y += x, and conversion to float32 and bfloat16 (to nearest even).
// Memory traffic: each element read and written once, neighbouring threads on neighbouring packs.

#include "device/grid.cuh"
#include "device/pack.cuh"
#include "kernels.h"

namespace glm::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kPack = 4;

template <class T>
__global__ void add(const T* x, T* y, int64_t elements) {
  for_each_pack<kPack>(elements, [&](auto n, int64_t i) {
    constexpr int kN = decltype(n)::value;
    Pack<kN> a = load_pack<kN>(y + i), b = load_pack<kN>(x + i);
    store_pack(y + i, make_pack<kN>([&](int k) { return a.x[k] + b.x[k]; }));
  });
}

template <class From, class To>
__global__ void convert(const From* x, To* out, int64_t elements) {
  for_each_pack<kPack>(elements,
                       [&](auto n, int64_t i) { store_pack(out + i, load_pack<decltype(n)::value>(x + i)); });
}

}  // namespace

void CudaKernels::run(const Zero& p) {
  if (p.bytes == 0) return;
  check(cudaMemsetAsync(p.out, 0, static_cast<size_t>(p.bytes), queue_.stream()), "zero");
}

void CudaKernels::run(const Add& p) {
  with_element_type(p.dtype, [&](auto zero) {
    using T = decltype(zero);
    start({"add", blocks_for(p.elements / kPack + 1, kThreads), kThreads}, add<T>, static_cast<const T*>(p.x),
          static_cast<T*>(p.y), p.elements);
  });
}

void CudaKernels::run(const Cast& p) {
  with_weight_type(p.from, [&](auto from) {
    with_element_type(p.to, [&](auto to) {
      using From = decltype(from);
      using To = decltype(to);
      start({"cast", blocks_for(p.elements / kPack + 1, kThreads), kThreads}, convert<From, To>,
            static_cast<const From*>(p.x), static_cast<To*>(p.out), p.elements);
    });
  });
}

}  // namespace glm::cuda
