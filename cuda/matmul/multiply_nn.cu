// Products A [m, k] · B [k, n].

#include "matmul/launch.cuh"

namespace glm::cuda {

void multiply_nn(const Queue& queue, const Product& product, const GradInputEpilogue<float>& epilogue,
                 void* workspace) {
  multiply<Transposes::kNN>(queue, product, epilogue, workspace);
}

void multiply_nn(const Queue& queue, const Product& product, const GradInputEpilogue<bfloat16>& epilogue,
                 void* workspace) {
  multiply<Transposes::kNN>(queue, product, epilogue, workspace);
}

}  // namespace glm::cuda
