#include <cstring>
#include <thread>

#include "backend/backend.h"
#include "cpu/dispatch/factories.h"
#include "runtime/settings.h"

namespace glm {
namespace {

struct InstructionSet {
  const char* name;
  bool (*available)();
  Kernels* (*make)(int threads);
};

// The best first.
constexpr InstructionSet kInstructionSets[] = {
#if defined(__x86_64__)
    {"avx512bf16",
     [] {
       return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
     },
     cpu::make_kernels_avx512bf16},
    {"avx512",
     [] {
       return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
     },
     cpu::make_kernels_avx512},
    {"avx2",
     [] {
       return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
              __builtin_cpu_supports("bmi2");
     },
     cpu::make_kernels_avx2},
#endif
#if defined(__aarch64__)
    {"neon", [] { return true; }, cpu::make_kernels_neon},
#else
    {"generic", [] { return true; }, cpu::make_kernels_generic},
#endif
};

const InstructionSet& choose(const std::string& wanted) {
  for (const InstructionSet& set : kInstructionSets) {
    if (wanted.empty() ? set.available() : wanted == set.name) {
      require(set.available(), Code::kInvalidArgument,
              "expected an instruction set that this processor has, found \"", wanted,
              "\"; leave it out to use the best one");
      return set;
    }
  }
  std::string known;
  for (const InstructionSet& set : kInstructionSets)
    known += (known.empty() ? "" : ", ") + std::string(set.name);
  fail(Code::kInvalidArgument, "expected an instruction set of this build (", known, "), found \"", wanted,
       "\"; leave it out to use the best one");
}

class CpuBackend final : public Backend {
 public:
  CpuBackend(Stream& stream, int threads, const InstructionSet& set)
      : threads_(threads), set_(set), memory_(host_memory(stream)), kernels_(set.make(threads)) {}

  Kernels& kernels() override { return *kernels_; }
  MemorySource& memory() override { return *memory_; }
  bool uses_host_memory() const override { return true; }
  void upload(void* device, const void* host, size_t bytes) override { copy(device, host, bytes); }
  std::unique_ptr<Download> download(void* host, const void* device, size_t bytes) override {
    copy(host, device, bytes);
    return nullptr;
  }
  void synchronize() override {}
  std::string name() const override { return "cpu"; }
  std::string instruction_set() const override { return set_.name; }
  int threads() const override { return threads_; }

 private:
  std::optional<Error> attempt(const std::function<void()>& work) override {
    work();
    return std::nullopt;
  }

  /// An empty tensor may have no address, which memcpy does not take even for no bytes.
  static void copy(void* to, const void* from, size_t bytes) {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }

  int threads_;
  const InstructionSet& set_;
  std::unique_ptr<MemorySource> memory_;
  std::unique_ptr<Kernels> kernels_;
};

int default_threads() {
  if (settings().threads > 0) return settings().threads;
  unsigned processors = std::thread::hardware_concurrency();
  return processors == 0 ? 1 : static_cast<int>(processors);
}

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(Stream& stream, int threads, const std::string& instruction_set) {
  require(threads >= 0 && threads <= 1024, Code::kInvalidArgument,
          "expected between 1 and 1024 threads, found ", threads, "; leave it out to use every processor");
  const std::string& wanted = instruction_set.empty() ? settings().instruction_set : instruction_set;
  return std::make_unique<CpuBackend>(stream, threads == 0 ? default_threads() : threads, choose(wanted));
}

}  // namespace glm
