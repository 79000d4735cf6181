# libglm_cuda.so, which the addon opens at run time: it lies beside glm.node and nothing links against it, so that one
# package works on machines with and without a GPU.

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

# It shares headers with the core, and of its code only what these two files define.
add_library(glm_cuda SHARED ${cuda_sources} cpp/base/error.cpp cpp/backend/kernels.cpp)
target_include_directories(glm_cuda PRIVATE cpp cuda)
# C++ files of this folder include the CUDA runtime's headers too.
target_include_directories(glm_cuda SYSTEM PRIVATE ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
target_link_libraries(glm_cuda PRIVATE glm_warnings Threads::Threads)
target_compile_options(glm_cuda PRIVATE
  $<$<COMPILE_LANGUAGE:CUDA>:${cuda_options};-Xcompiler=-Wall,-Wextra,-Wshadow,-Wno-psabi>
  $<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${GLM_WARNINGS_AS_ERRORS}>>:--Werror=all-warnings>)
glm_link_as_plugin(glm_cuda)
target_link_options(glm_cuda PRIVATE -Wl,-z,defs)
# No search path in the file: the loader's own order decides which libcudart.so the simulated build finds.
set_target_properties(glm_cuda PROPERTIES SKIP_BUILD_RPATH ON)
message(STATUS "glm: CUDA ${CMAKE_CUDA_COMPILER_VERSION}, building libglm_cuda.so")
