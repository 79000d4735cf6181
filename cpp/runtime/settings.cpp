#include "runtime/settings.h"

#include <cstdlib>

namespace glm {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

const Settings& settings() {
  static const Settings values{variable("GLM_INSTRUCTION_SET"), variable("GLM_CUDA_LIBRARY"),
                               std::atoi(variable("GLM_THREADS").c_str())};
  return values;
}

}  // namespace glm
