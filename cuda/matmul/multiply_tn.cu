// Products A [k, m]ᵀ · B [k, n].

#include "matmul/launch.cuh"

namespace glm::cuda {

void multiply_tn(const Queue& queue, const Product& product, const ToFloat& epilogue, void* workspace) {
  multiply<Transposes::kTN>(queue, product, epilogue, workspace);
}

}  // namespace glm::cuda
