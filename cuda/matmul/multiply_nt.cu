// Products A [m, k] · B [n, k]ᵀ.

#include "matmul/launch.cuh"

namespace glm::cuda {

void multiply_nt(const Queue& queue, const Product& product, const ForwardEpilogue<float>& epilogue,
                 void* workspace) {
  multiply<Transposes::kNT>(queue, product, epilogue, workspace);
}

void multiply_nt(const Queue& queue, const Product& product, const ForwardEpilogue<bfloat16>& epilogue,
                 void* workspace) {
  multiply<Transposes::kNT>(queue, product, epilogue, workspace);
}

void multiply_nt(const Queue& queue, const Product& product, const ToFloat& epilogue, void* workspace) {
  multiply<Transposes::kNT>(queue, product, epilogue, workspace);
}

}  // namespace glm::cuda
