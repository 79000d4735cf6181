// glm_check [--small] [--op NAME] [--shape SHAPE] [--type f32|bf16|i32] [--csv FILE]
//
// Runs every CUDA kernel against the CPU's at many shapes, then times the large ones with events beside the
// peaks that it measures, and writes a line per shape. --small leaves out the large shapes, for a simulated
// device. The exit status is 1 when a kernel is wrong.

#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

#include "backend/backend.h"
#include "check/cases.h"
#include "check/peaks.h"
#include "host/status.h"
#include "kernels.h"

namespace glm::check {
namespace {

class CpuSide final : public Side {
 public:
  using Side::Side;

 private:
  void* place(const void* host, size_t bytes) override {
    constexpr size_t kAlignment = 256;
    void* data = std::aligned_alloc(kAlignment, (bytes / kAlignment + 1) * kAlignment);
    if (data == nullptr) fail(Code::kOutOfMemory, "expected ", bytes, " bytes of memory, found too few");
    std::memcpy(data, host, bytes);
    memory_.emplace_back(data, std::free);
    return data;
  }
  void fetch(void* host, const void* from, size_t bytes) const override { std::memcpy(host, from, bytes); }

  std::vector<std::unique_ptr<void, void (*)(void*)>> memory_;
};

class CudaSide final : public Side {
 public:
  CudaSide(Kernels& kernels, const cuda::Queue& queue) : Side(kernels), queue_(queue) {}
  ~CudaSide() override {
    cudaStreamSynchronize(queue_.stream());
    for (void* data : memory_) cudaFree(data);
  }

 private:
  void* place(const void* host, size_t bytes) override {
    void* data = nullptr;
    cuda::check(cudaMalloc(&data, std::max(bytes, size_t{1})), "taking memory");
    memory_.push_back(data);
    cuda::check(cudaMemcpy(data, host, bytes, cudaMemcpyHostToDevice), "a copy to the device");
    return data;
  }
  void fetch(void* host, const void* from, size_t bytes) const override {
    cuda::check(cudaStreamSynchronize(queue_.stream()), "the kernels");
    cuda::check(cudaMemcpy(host, from, bytes, cudaMemcpyDeviceToHost), "a copy to the host");
  }

  const cuda::Queue& queue_;
  std::vector<void*> memory_;
};

/// The largest difference, where 1 is as far as results of this type may be apart: both sides round to
/// bfloat16 now and then, or sum in another order.
double difference(const Case& one, const Side::Result& result, const std::vector<double>& expected) {
  const std::vector<double>& found = result.values;
  double squares = 0;
  for (double x : expected) squares += x * x;
  double typical = std::sqrt(squares / static_cast<double>(std::max(expected.size(), size_t{1})));
  double rounding = result.is_double ? 0x1p-40 : one.dtype == DType::kBFloat16 ? 0x1p-6 : 0x1p-15;
  double allowed = one.exact ? 0 : rounding;
  double most = 0;
  for (size_t i = 0; i < expected.size(); i++) {
    double off = std::abs(found[i] - expected[i]);
    if (off == 0) continue;
    double scaled = allowed == 0 ? INFINITY : off / (allowed * (std::abs(expected[i]) + typical));
    if (!(scaled <= most)) most = std::isnan(scaled) ? INFINITY : scaled;
  }
  return most;
}

struct Options {
  bool small = false;
  std::string op, shape, type, csv;
};

Options parse(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; i++) {
    std::string argument = arguments[i];
    bool has_value = i + 1 < count;
    if (argument == "--small") {
      options.small = true;
    } else if (argument == "--op" && has_value) {
      options.op = arguments[++i];
    } else if (argument == "--shape" && has_value) {
      options.shape = arguments[++i];
    } else if (argument == "--type" && has_value) {
      options.type = arguments[++i];
    } else if (argument == "--csv" && has_value) {
      options.csv = arguments[++i];
    } else {
      fail(Code::kInvalidArgument,
           "expected [--small] [--op NAME] [--shape SHAPE] [--type f32|bf16|i32] [--csv FILE], found ",
           argument);
    }
  }
  return options;
}

class Program {
 public:
  explicit Program(const Options& options)
      : options_(options),
        queue_(0, cuda::DeviceState::of(0).open()),
        cuda_(queue_),
        cpu_(make_cpu_backend(stream_, 0, "")) {}

  /// The number of cases that failed.
  int run() {
    const cudaDeviceProp& device = queue_.properties();
    Peaks peaks = measure_peaks(queue_, options_.small);
    std::printf("%s, sm_%d%d, %d multiprocessors: %.0f GB/s, %.1f TFLOP/s float32, %.1f TFLOP/s bfloat16\n",
                device.name, device.major, device.minor, device.multiProcessorCount, peaks.bytes / 1e9,
                peaks.float32 / 1e12, peaks.tensor_cores / 1e12);
    std::FILE* csv = options_.csv.empty() ? nullptr : std::fopen(options_.csv.c_str(), "w");
    if (!options_.csv.empty() && csv == nullptr)
      fail(Code::kIo, "expected to write ", options_.csv, ", found that it cannot be opened");
    if (csv != nullptr) {
      std::fprintf(
          csv, "device,op,shape,type,error,microseconds,bytes,operations,of_memory,of_compute,of_roofline\n");
    }
    int failed = 0;
    for (const auto& cases :
         {span_cases(), memory_cases(), embedding_cases(), lstm_cases(), layer_norm_cases(), linear_cases(),
          attention_cases(), decoding_cases(), cross_entropy_cases(), optimizer_cases()}) {
      for (const Case& one : cases) {
        if (one.large && options_.small) continue;
        if (one.op.find(options_.op) == std::string::npos) continue;
        if (!options_.type.empty() && options_.type != short_name(one.dtype)) continue;
        if (!options_.shape.empty() && one.shape != options_.shape) continue;
        if (!check(one, peaks, csv)) failed++;
      }
    }
    if (csv != nullptr) std::fclose(csv);
    return failed;
  }

 private:
  bool check(const Case& one, const Peaks& peaks, std::FILE* csv) {
    double most = 0, milli = 0;
    std::string worst;
    {
      CudaSide found(cuda_, queue_);
      one.run(found);
      std::vector<Side::Result> results = found.results();
      CpuSide expected(cpu_->kernels());
      one.run(expected);
      std::vector<Side::Result> truths = expected.results();
      for (size_t i = 0; i < results.size(); i++) {
        double off = difference(one, results[i], truths[i].values);
        if (off > most || worst.empty()) most = off, worst = results[i].name;
      }
      milli = milliseconds(queue_, options_.small ? 1 : 200, [&] { found.run_again(); });
    }
    double seconds = milli * 1e-3;
    double of_memory = one.work.bytes / seconds / peaks.bytes;
    double compute = one.work.tensor_cores ? peaks.tensor_cores : peaks.float32;
    double of_compute = one.work.operations / seconds / compute;
    bool right = most <= 1;
    std::printf("%s %-22s %-44s %-5s error %.3f of what is allowed (%s)", right ? "ok  " : "FAIL",
                one.op.c_str(), one.shape.c_str(), short_name(one.dtype), most, worst.c_str());
    if (one.large) {
      std::printf(", %.1f us, %.0f %% of memory, %.0f %% of compute", milli * 1e3, of_memory * 100,
                  of_compute * 100);
    }
    std::printf("\n");
    if (csv != nullptr) {
      std::fprintf(csv, "\"%s\",%s,%s,%s,%.4f,%.3f,%.0f,%.0f,%.4f,%.4f,%.4f\n", queue_.properties().name,
                   one.op.c_str(), one.shape.c_str(), short_name(one.dtype), most, milli * 1e3,
                   one.work.bytes, one.work.operations, of_memory, of_compute,
                   std::max(of_memory, of_compute));
    }
    return right;
  }

  const Options& options_;
  Stream stream_;
  cuda::Queue queue_;
  cuda::CudaKernels cuda_;
  std::unique_ptr<Backend> cpu_;
};

}  // namespace
}  // namespace glm::check

int main(int count, char** arguments) {
  try {
    glm::check::Options options = glm::check::parse(count, arguments);
    int failed = glm::check::Program(options).run();
    std::printf("%d failed\n", failed);
    return failed == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
