// Rows picked by index, and put back:  out[r] = x[indices[r]]  and  out = 0, then out[indices[r]] = x[r].
// x, out [.., width] in the activation type; copies of bytes, no arithmetic. Scatter clears the whole output
// first.

#include "cpu/element_type.h"
#include "cpu/kernels.h"

namespace glm::GLM_ISA {

void CpuKernels::run(const GatherRows& p) {
  int64_t row_bytes = p.width * size_of(p.dtype);
  parallel_.ranges(p.rows, rows_per_piece(p.width), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      std::memcpy(static_cast<char*>(p.out) + r * row_bytes,
                  static_cast<const char*>(p.x) + p.indices[r] * row_bytes, static_cast<size_t>(row_bytes));
    }
  });
}

void CpuKernels::run(const ScatterRows& p) {
  int64_t row_bytes = p.width * size_of(p.dtype);
  run(Zero{.out = p.out, .bytes = p.out_rows * row_bytes});
  parallel_.ranges(p.rows, rows_per_piece(p.width), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      std::memcpy(static_cast<char*>(p.out) + p.indices[r] * row_bytes,
                  static_cast<const char*>(p.x) + r * row_bytes, static_cast<size_t>(row_bytes));
    }
  });
}

}  // namespace glm::GLM_ISA
