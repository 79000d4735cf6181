#include "backend/kernels.h"

#include "backend/backend.h"

namespace glm {
namespace {

/// Kernels that are called each time.
class CalledKernels final : public Program {
 public:
  explicit CalledKernels(std::function<void()> kernels) : kernels_(std::move(kernels)) {}
  void run() override { kernels_(); }

 private:
  std::function<void()> kernels_;
};

}  // namespace

std::unique_ptr<Program> Backend::compile(std::function<void()> kernels) {
  return std::make_unique<CalledKernels>(std::move(kernels));
}

// Out of line, so that the tables of virtual functions exist once.
Kernels::~Kernels() = default;
Backend::~Backend() = default;
Download::~Download() = default;
Program::~Program() = default;

}  // namespace glm
