#include "host/graph.h"

#include "host/status.h"

namespace glm::cuda {

Graph::Graph(Queue& queue, const std::function<void()>& kernels) : queue_(queue) {
  cudaGraph_t graph = queue.capture(kernels);
  cudaError_t status = cudaGraphInstantiate(&executable_, graph, 0);
  cudaGraphDestroy(graph);
  check(status, "making a graph of kernels");
}

// One that is running ends first, without anyone waiting here.
Graph::~Graph() {
  DeviceState::Hold hold(DeviceState::of(queue_.device()), queue_.life());
  if (hold.error()) return;
  cudaGraphExecDestroy(executable_);
  cudaGetLastError();
}

void Graph::run() { check(cudaGraphLaunch(executable_, queue_.stream()), "starting a graph of kernels"); }

}  // namespace glm::cuda
