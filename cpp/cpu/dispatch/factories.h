#pragma once

#include "backend/kernels.h"

namespace glm::cpu {

/// One per instruction set, defined by cpp/cpu/factory.cpp as that set is compiled. The caller owns the
/// result.
#if defined(__aarch64__)
Kernels* make_kernels_neon(int threads);
#else
Kernels* make_kernels_generic(int threads);
#endif
#if defined(__x86_64__)
Kernels* make_kernels_avx2(int threads);
Kernels* make_kernels_avx512(int threads);
Kernels* make_kernels_avx512bf16(int threads);
#endif

}  // namespace glm::cpu
