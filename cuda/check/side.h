#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "backend/kernels.h"

namespace glm::check {

/// One of the two sides of a comparison, the CPU's kernels or the GPU's. A case asks it for memory and runs
/// kernels on it; both sides get the same numbers.
class Side {
 public:
  struct Result {
    std::string name;
    std::vector<double> values;
    bool is_double;
  };

  explicit Side(Kernels& kernels) : kernels_(kernels) {}
  virtual ~Side() = default;

  /// Random numbers of one sign and the other, up to `size`; another `Side` gives the same in the same place.
  void* input(DType dtype, int64_t elements, float size = 1);
  /// From 0 to limit - 1.
  int32_t* integers(int64_t elements, int64_t limit);
  /// A copy of what the host has.
  template <class T>
  T* copy(const std::vector<T>& values) {
    return static_cast<T*>(place(values.data(), values.size() * sizeof(T)));
  }
  /// What a kernel writes, full of NaN before, or random numbers that it adds to.
  void* result(std::string name, DType dtype, int64_t elements, bool added_to = false);

  /// The same for float64.
  double* doubles(std::string name, int64_t elements);
  /// Keeps what parameters point to on the host.
  void keep(std::shared_ptr<void> object) { kept_.push_back(std::move(object)); }

  /// Runs a kernel, with the workspace that it asks for.
  template <class Params>
  void run(Params params) {
    if constexpr (requires { params.workspace; }) {
      std::vector<char> nothing(kernels_.workspace_bytes(params), '\xff');
      params.workspace = place(nothing.data(), nothing.size());
    }
    auto start = [this, params] { kernels_.run(params); };
    start();
    starts_.push_back(start);
  }

  /// Starts all kernels that ran once more.
  void run_again() const {
    for (const auto& start : starts_) start();
  }
  std::vector<Result> results() const;

 protected:
  /// Memory with these bytes, which the side keeps until it ends.
  virtual void* place(const void* host, size_t bytes) = 0;
  virtual void fetch(void* host, const void* from, size_t bytes) const = 0;

 private:
  struct Output {
    std::string name;
    DType dtype;
    int64_t elements;
    const void* data;
    bool is_double = false;
  };

  Kernels& kernels_;
  uint32_t buffers_ = 0;
  std::vector<Output> outputs_;
  std::vector<std::shared_ptr<void>> kept_;
  std::vector<std::function<void()>> starts_;
};

}  // namespace glm::check
