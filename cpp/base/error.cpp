#include "base/error.h"

namespace glm {

const char* code_name(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return "GLM_INVALID_ARGUMENT";
    case Code::kContextLength:
      return "GLM_CONTEXT_LENGTH";
    case Code::kDisposed:
      return "GLM_DISPOSED";
    case Code::kCorruptFile:
      return "GLM_CORRUPT_FILE";
    case Code::kData:
      return "GLM_DATA";
    case Code::kIo:
      return "GLM_IO";
    case Code::kNumeric:
      return "GLM_NUMERIC";
    case Code::kOutOfMemory:
      return "GLM_OUT_OF_MEMORY";
    case Code::kCudaUnavailable:
      return "GLM_CUDA_UNAVAILABLE";
    case Code::kCuda:
      return "GLM_CUDA";
  }
  return "GLM_INVALID_ARGUMENT";
}

}  // namespace glm
