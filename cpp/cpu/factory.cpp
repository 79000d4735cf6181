#include "cpu/dispatch/factories.h"
#include "cpu/kernels.h"

#define GLM_JOIN(a, b) a##b
#define GLM_FACTORY(isa) GLM_JOIN(make_kernels_, isa)

namespace glm::cpu {

Kernels* GLM_FACTORY(GLM_ISA)(int threads) { return new GLM_ISA::CpuKernels(threads); }

}  // namespace glm::cpu
