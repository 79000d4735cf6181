#pragma once

// Rules in cpp/base are compiled for the host and, unchanged, for CUDA devices.
#if defined(__CUDACC__)
#define GLM_HOST_DEVICE __host__ __device__
#else
#define GLM_HOST_DEVICE
#endif
