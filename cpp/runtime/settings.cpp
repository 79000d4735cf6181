#include "runtime/settings.h"

#include <charconv>
#include <cstdlib>

#include "base/error.h"

namespace glm {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

int number_of_threads(const std::string& value) {
  if (value.empty()) return 0;
  int threads = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), threads);
  require(error == std::errc() && end == value.data() + value.size() && threads > 0, Code::kInvalidArgument,
          "expected the environment's GLM_THREADS to be a whole number from 1 on, found \"", value,
          "\"; correct or unset it");
  return threads;
}

}  // namespace

const Settings& settings() {
  static const Settings values{variable("GLM_INSTRUCTION_SET"), variable("GLM_CUDA_LIBRARY"),
                               number_of_threads(variable("GLM_THREADS"))};
  return values;
}

}  // namespace glm
