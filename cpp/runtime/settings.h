#pragma once

#include <string>

namespace glm {

/// What the environment variables ask for; read once per process, and nowhere else.
struct Settings {
  std::string
      instruction_set;  // GLM_INSTRUCTION_SET: generic | avx2 | avx512 | avx512bf16; empty: the best here
  std::string
      cuda_library;  // GLM_CUDA_LIBRARY: a file to open instead of the libglm_cuda.so beside the addon
  int threads = 0;   // GLM_THREADS: the default number of compute threads; 0: all processors
};

/// @throws Error kInvalidArgument for a value that cannot be meant
const Settings& settings();

}  // namespace glm
