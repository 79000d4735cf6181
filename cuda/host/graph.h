#pragma once

#include "backend/backend.h"
#include "host/queue.h"

namespace glm::cuda {

/// Kernels as a CUDA graph: the driver gets them all at once, with their arguments and their order, and
/// starts them without the host. They should have run before, so that their code is loaded.
class Graph final : public Program {
 public:
  Graph(Queue& queue, const std::function<void()>& kernels);
  ~Graph() override;

  void run() override;

 private:
  Queue& queue_;
  cudaGraphExec_t executable_ = nullptr;
};

}  // namespace glm::cuda
