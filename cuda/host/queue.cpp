#include "host/queue.h"

#include <algorithm>
#include <cstring>

#include "host/status.h"

namespace glm::cuda {

Queue::Queue(int device, uint64_t life) : device_(device), life_(life) {
  check(cudaGetDeviceProperties(&properties_, device), "reading the device's properties");
  check(cudaStreamCreateWithFlags(&compute_, cudaStreamNonBlocking), "making a stream");
  check(cudaStreamCreateWithFlags(&copies_, cudaStreamNonBlocking), "making a stream");
}

Queue::~Queue() {
  // After a reset nothing of this is there any more.
  DeviceState::Hold hold(DeviceState::of(device_), life_);
  if (hold.error()) return;
  cudaStreamSynchronize(copies_);
  cudaStreamSynchronize(compute_);
  for (Slot& slot : slots_) {
    cudaFreeHost(slot.pinned);
    cudaFree(slot.device);
    if (slot.copied != nullptr) cudaEventDestroy(slot.copied);
    if (slot.used != nullptr) cudaEventDestroy(slot.used);
  }
  for (Landing& landing : landings_) {
    cudaFreeHost(landing.pinned);
    cudaEventDestroy(landing.arrived);
  }
  cudaStreamDestroy(copies_);
  cudaStreamDestroy(compute_);
  cudaGetLastError();
}

void Queue::upload(void* to, const void* host, size_t bytes) {
  for (size_t done = 0; done < bytes; done += kSlotBytes) {
    size_t part = std::min(kSlotBytes, bytes - done);
    with_staged(static_cast<const char*>(host) + done, part, [&](const void* staged) {
      check(cudaMemcpyAsync(static_cast<char*>(to) + done, staged, part, cudaMemcpyDeviceToDevice, compute_),
            "a copy to the device");
    });
  }
}

// The copy waits for nothing that computes: only for the kernels that read the slot's last contents.
Queue::Slot& Queue::stage(const void* host, size_t bytes) {
  require(!capturing_, Code::kCuda, "expected kernels that need nothing from the host, found ", bytes,
          " bytes to copy for one of a graph");
  require(bytes <= kSlotBytes, Code::kInvalidArgument, "expected at most ", kSlotBytes,
          " bytes of arguments for a kernel, found ", bytes, "; use a smaller batch");
  for (Slot& slot : slots_) {
    if (slot.bytes > 0 && slot.bytes == bytes && std::memcmp(slot.pinned, host, bytes) == 0) return slot;
  }
  Slot& slot = slots_[next_slot_];
  next_slot_ = (next_slot_ + 1) % slots_.size();
  if (slot.used == nullptr) {
    check(cudaMallocHost(&slot.pinned, kSlotBytes), "taking pinned memory");
    check(cudaMalloc(&slot.device, kSlotBytes), "taking memory to copy through");
    check(cudaEventCreateWithFlags(&slot.copied, cudaEventDisableTiming), "making an event");
    check(cudaEventCreateWithFlags(&slot.used, cudaEventDisableTiming), "making an event");
  }
  check(cudaEventSynchronize(slot.copied), "an earlier copy to the device");
  slot.bytes = 0;
  std::memcpy(slot.pinned, host, bytes);
  check(cudaStreamWaitEvent(copies_, slot.used), "waiting for an earlier kernel");
  check(cudaMemcpyAsync(slot.device, slot.pinned, bytes, cudaMemcpyHostToDevice, copies_),
        "a copy to the device");
  check(cudaEventRecord(slot.copied, copies_), "recording an event");
  check(cudaStreamWaitEvent(compute_, slot.copied), "waiting for a copy");
  slot.bytes = bytes;
  return slot;
}

void Queue::release(Slot& slot) { check(cudaEventRecord(slot.used, compute_), "recording an event"); }

// ---- to the host

class Queue::Arrival final : public Download {
 public:
  Arrival(Queue& queue, Landing landing, void* host, size_t bytes)
      : queue_(queue), landing_(landing), host_(host), bytes_(bytes) {}
  ~Arrival() override { queue_.give_back(landing_); }

  std::optional<Error> finish() override {
    DeviceState& state = DeviceState::of(queue_.device_);
    DeviceState::Hold hold(state, queue_.life_);
    if (hold.error()) return hold.error();
    try {
      check(cudaEventSynchronize(landing_.arrived), "a copy to the host, or a kernel before it");
    } catch (const Error& error) {
      state.note_failure(error.what());
      return error;
    }
    std::memcpy(host_, landing_.pinned, bytes_);
    return std::nullopt;
  }

 private:
  Queue& queue_;
  Landing landing_;
  void* host_;
  size_t bytes_;
};

std::unique_ptr<Download> Queue::download(void* host, const void* from, size_t bytes) {
  if (bytes == 0) return nullptr;
  if (bytes > kSlotBytes) {  // weights, say: nothing waits behind them that matters
    check(cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, compute_), "a copy to the host");
    synchronize();
    return nullptr;
  }
  Landing landing = take_landing();
  auto arrival = std::make_unique<Arrival>(*this, landing, host, bytes);
  check(cudaMemcpyAsync(landing.pinned, from, bytes, cudaMemcpyDeviceToHost, compute_), "a copy to the host");
  check(cudaEventRecord(landing.arrived, compute_), "recording an event");
  return arrival;
}

Queue::Landing Queue::take_landing() {
  {
    std::lock_guard<std::mutex> lock(landings_mutex_);
    if (!landings_.empty()) {
      Landing landing = landings_.back();
      landings_.pop_back();
      return landing;
    }
  }
  Landing landing;
  check(cudaMallocHost(&landing.pinned, kSlotBytes), "taking pinned memory");
  // The thread that waits sleeps.
  check(cudaEventCreateWithFlags(&landing.arrived, cudaEventDisableTiming | cudaEventBlockingSync),
        "making an event");
  return landing;
}

void Queue::give_back(Landing landing) {
  std::lock_guard<std::mutex> lock(landings_mutex_);
  landings_.push_back(landing);
}

cudaGraph_t Queue::capture(const std::function<void()>& kernels) {
  std::lock_guard<std::mutex> lock(DeviceState::of(device_).capture_mutex());
  // Relaxed: another thread may take memory meanwhile.
  check(cudaStreamBeginCapture(compute_, cudaStreamCaptureModeRelaxed), "capturing kernels");
  capturing_ = true;
  cudaGraph_t graph = nullptr;
  try {
    kernels();
  } catch (...) {
    capturing_ = false;
    if (cudaStreamEndCapture(compute_, &graph) == cudaSuccess) cudaGraphDestroy(graph);
    cudaGetLastError();
    throw;
  }
  capturing_ = false;
  check(cudaStreamEndCapture(compute_, &graph), "capturing kernels");
  return graph;
}

void Queue::synchronize() { check(cudaStreamSynchronize(compute_), "the kernels started so far"); }

}  // namespace glm::cuda
