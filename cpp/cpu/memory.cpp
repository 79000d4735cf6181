// Moves without arithmetic: zero, y += x, and conversion to float32 and bfloat16 (to nearest even).
// Memory traffic: each element read and written once. Pieces of a fixed size, so that no bit depends on the
// threads.

#include "cpu/element_type.h"
#include "cpu/kernels.h"

namespace glm::GLM_ISA {
namespace {

constexpr int64_t kBytesOfPiece = 1 << 18;
constexpr int64_t kElementsOfPiece = 1 << 16;

template <class T>
void add(const T* x, T* y, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) {
    store_upto(y + i, load_upto(y + i, count - i) + load_upto(x + i, count - i), count - i);
  }
}

template <class From, class To>
void convert(const From* x, To* out, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) store_upto(out + i, load_upto(x + i, count - i), count - i);
}

}  // namespace

void CpuKernels::run(const Zero& p) {
  parallel_.ranges(p.bytes, kBytesOfPiece, [&](int64_t begin, int64_t end) {
    std::memset(static_cast<char*>(p.out) + begin, 0, static_cast<size_t>(end - begin));
  });
}

void CpuKernels::run(const Add& p) {
  with_element_type(p.dtype, [&](auto zero) {
    using T = decltype(zero);
    parallel_.ranges(p.elements, kElementsOfPiece, [&](int64_t begin, int64_t end) {
      add(static_cast<const T*>(p.x) + begin, static_cast<T*>(p.y) + begin, end - begin);
    });
  });
}

void CpuKernels::run(const Cast& p) {
  with_weight_type(p.from, [&](auto from) {
    with_element_type(p.to, [&](auto to) {
      using From = decltype(from);
      using To = decltype(to);
      parallel_.ranges(p.elements, kElementsOfPiece, [&](int64_t begin, int64_t end) {
        convert(static_cast<const From*>(p.x) + begin, static_cast<To*>(p.out) + begin, end - begin);
      });
    });
  });
}

}  // namespace glm::GLM_ISA
