# libglm_cuda.so, which the addon opens at run time: it lies beside glm.node and nothing links against it, so that one
# package works on machines with and without a GPU. And glm_check, which runs its kernels beside the CPU's (docs/gpu.md).

file(GLOB_RECURSE cuda_sources CONFIGURE_DEPENDS cuda/*.cu cuda/*.cpp)
list(FILTER cuda_sources EXCLUDE REGEX "/cuda/check/")
if(GLM_CUDA STREQUAL "OFF" OR NOT cuda_sources)
  return()
endif()

include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  if(GLM_CUDA STREQUAL "ON")
    message(FATAL_ERROR "glm: GLM_CUDA=ON but no CUDA compiler was found; put nvcc on PATH or set GLM_CUDA=OFF")
  endif()
  message(STATUS "glm: no CUDA compiler, building for the CPU only")
  return()
endif()

if(GLM_CUDA_SIM)
  # The simulator takes the place of libcudart.so and interprets PTX: it needs the shared runtime and one
  # architecture's PTX, uncompressed so that it needs no zstd.
  set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)
  set(CMAKE_CUDA_ARCHITECTURES 80-virtual)
  set(cuda_options -lineinfo --no-compress)
  # So few that the losses of 129 rows take two chunks of logits; a GPU has room for those of many more.
  set_source_files_properties(cuda/cross_entropy.cu PROPERTIES COMPILE_DEFINITIONS GLM_LOGITS_BYTES=32768)
else()
  # Static, so that no CUDA installation is needed beyond the driver.
  set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
  set(CMAKE_CUDA_ARCHITECTURES ${GLM_CUDA_ARCHITECTURES})
  set(cuda_options -lineinfo)
endif()
enable_language(CUDA)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  # CMake 3.25 does not know that nvcc takes C++20.
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
endif()
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_EXTENSIONS OFF)
set(CMAKE_CUDA_VISIBILITY_PRESET hidden)

set(cuda_options ${cuda_options} -Xcompiler=-Wall,-Wextra,-Wshadow,-Wno-psabi)
if(GLM_WARNINGS_AS_ERRORS)
  set(cuda_options ${cuda_options} --Werror=all-warnings)
endif()
# Local memory is a kernel's slow memory: spilled registers lie there, and arrays that are indexed at run time. ptxas
# reports both, and the build fails, whatever the architecture. The simulated device's build has no machine code.
if(GLM_WARNINGS_AS_ERRORS AND NOT GLM_CUDA_SIM)
  set(cuda_options ${cuda_options} -Xptxas=--warn-on-spills,--warn-on-local-memory-usage,--warning-as-error)
endif()

function(glm_use_cuda target)
  target_include_directories(${target} PRIVATE cpp cuda)
  # C++ files of this folder include the CUDA runtime's headers too.
  target_include_directories(${target} SYSTEM PRIVATE ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
  target_link_libraries(${target} PRIVATE glm_warnings Threads::Threads)
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:${cuda_options}>")
  # No search path in the file: the loader's own order decides which libcudart.so the simulated build finds.
  set_target_properties(${target} PROPERTIES SKIP_BUILD_RPATH ON)
endfunction()

add_library(glm_cuda_kernels OBJECT ${cuda_sources})
glm_use_cuda(glm_cuda_kernels)

if(NOT GLM_CHECK)
  # It shares headers with the core, and of its code only what these two files define.
  add_library(glm_cuda SHARED $<TARGET_OBJECTS:glm_cuda_kernels> cpp/base/error.cpp cpp/backend/kernels.cpp)
  glm_use_cuda(glm_cuda)
  set_target_properties(glm_cuda PROPERTIES LINKER_LANGUAGE CUDA)
  glm_link_as_plugin(glm_cuda)
  target_link_options(glm_cuda PRIVATE -Wl,-z,defs)
  message(STATUS "glm: CUDA ${CMAKE_CUDA_COMPILER_VERSION}, building libglm_cuda.so")
endif()

if(GLM_CHECK OR GLM_CUDA_SIM)
  file(GLOB check_sources CONFIGURE_DEPENDS cuda/check/*.cu cuda/check/*.cpp)
  add_executable(glm_check ${check_sources} $<TARGET_OBJECTS:glm_cuda_kernels>)
  glm_use_cuda(glm_check)
  target_link_libraries(glm_check PRIVATE glm_core)
endif()
