// Layer normalisation (Ba et al. 2016), each row of h on its own:
//
//   forward    x̂ = (x - mean) · rstd,  y = x̂ ∘ weight + bias,  rstd = 1 / sqrt(mean of (x - mean)² + epsilon)
//   backward   with g = grad_y ∘ weight:  grad_x = rstd · (g - mean(g) - x̂ · mean(g ∘ x̂))
//              grad_weight += Σ over rows of grad_y ∘ x̂,  grad_bias += Σ over rows of grad_y
//
// x, y, grad_x, grad_y [rows, h] in the activation type; the rest float32. Work: about 8 operations per
// element forward, 14 backward. Memory traffic: x read and y written once; backward x and grad_y read,
// grad_x written once. The later passes over a row find it in shared memory, where a thread sees its own
// columns alone and no barrier is needed; rows too wide for that are read again.
//
// The variance is the mean of squared deviations from the mean, in two passes: E[x²] - E[x]² would cancel.
//
// The parameters' gradients are summed over fixed chunks of rows, a block each, and these in order: no
// atomics, the same bits in every run.

#include "device/pack.cuh"
#include "device/reduce.cuh"
#include "kernels.h"

namespace glm::cuda {
namespace {

constexpr unsigned kMostThreads = 256;
constexpr size_t kSharedBytes = size_t{96} << 10;  // what every architecture from sm_80 on gives to a block
constexpr int64_t kRowsOfChunk = 16;
constexpr int64_t kMostChunks = 512;  // bounds the workspace

/// function(column) for the packs of a row that are this thread's
template <int kPack, class Function>
__device__ __forceinline__ void for_own_columns(int64_t width, const Function& function) {
  for (int64_t j = int64_t{threadIdx.x} * kPack; j < width; j += int64_t{blockDim.x} * kPack) function(j);
}

/// Σ over the row of term(i, j) of the elements i of the packs at columns j; all threads get it.
template <int kPack, class Values>
__device__ __forceinline__ float row_sum(int64_t width, const Values& values) {
  float total = 0;
  for_own_columns<kPack>(width, [&](int64_t j) {
    Pack<kPack> pack = values(j);
#pragma unroll
    for (int i = 0; i < kPack; i++) total += pack.x[i];
  });
  return block_sum(total);
}

/// A row that is read from memory once and kept in shared memory, by each thread its own columns; or without
/// kKeep read anew each time.
template <class T, int kPack, bool kKeep>
class Row {
 public:
  __device__ Row(const T* memory, float* kept, int64_t width) : memory_(memory), kept_(kept) {
    if (!kKeep) return;
    for_own_columns<kPack>(width, [&](int64_t j) { store_pack(kept + j, load_pack<kPack>(memory + j)); });
  }
  __device__ Pack<kPack> at(int64_t column) const {
    return kKeep ? load_pack<kPack>(kept_ + column) : load_pack<kPack>(memory_ + column);
  }

 private:
  const T* memory_;
  float* kept_;
};

template <class T, int kPack, bool kKeep>
__global__ void normalize(LayerNormForward p) {
  extern __shared__ __align__(16) float shared[];
  int64_t row = blockIdx.x;
  float width = static_cast<float>(p.width);
  Row<T, kPack, kKeep> x(static_cast<const T*>(p.x) + row * p.width, shared, p.width);
  T* y = static_cast<T*>(p.y) + row * p.width;

  float mean = row_sum<kPack>(p.width, [&](int64_t j) { return x.at(j); }) / width;
  auto deviation = [&](int64_t j) {
    Pack<kPack> value = x.at(j);
    return make_pack<kPack>([&](int i) { return value.x[i] - mean; });
  };
  mean += row_sum<kPack>(p.width, deviation) / width;  // what rounding left of it
  float squares = row_sum<kPack>(p.width, [&](int64_t j) {
    Pack<kPack> d = deviation(j);
    return make_pack<kPack>([&](int i) { return d.x[i] * d.x[i]; });
  });
  float rstd = 1.0f / sqrtf(squares / width + p.epsilon);

  for_own_columns<kPack>(p.width, [&](int64_t j) {
    Pack<kPack> d = deviation(j), weight = load_pack<kPack>(p.weight + j),
                bias = load_pack<kPack>(p.bias + j);
    store_pack(y + j, make_pack<kPack>([&](int i) { return d.x[i] * rstd * weight.x[i] + bias.x[i]; }));
  });
  if (threadIdx.x == 0) {
    p.mean[row] = mean;
    p.rstd[row] = rstd;
  }
}

/// Block c goes through the rows of chunk c. `sums` [chunks, 2, width]: weight, bias; null: not wanted.
template <class T, int kPack, bool kKeep>
__global__ void normalize_backward(LayerNormBackward p, int64_t rows_of_chunk, float* sums) {
  extern __shared__ __align__(16) float shared[];  // [4, width]: x, grad_y, and the sums
  float width = static_cast<float>(p.width);
  float* chunk_sums = sums == nullptr ? nullptr : sums + int64_t{blockIdx.x} * 2 * p.width;
  float* weight_sums = kKeep ? shared + 2 * p.width : chunk_sums;
  if (chunk_sums != nullptr) {
    for_own_columns<kPack>(p.width, [&](int64_t j) {
      Pack<kPack> zero{};
      store_pack(weight_sums + j, zero);
      store_pack(weight_sums + p.width + j, zero);
    });
  }

  int64_t begin = int64_t{blockIdx.x} * rows_of_chunk;
  int64_t end = begin + rows_of_chunk < p.rows ? begin + rows_of_chunk : p.rows;
  for (int64_t row = begin; row < end; row++) {
    Row<T, kPack, kKeep> x(static_cast<const T*>(p.x) + row * p.width, shared, p.width);
    Row<T, kPack, kKeep> grad_y(static_cast<const T*>(p.grad_y) + row * p.width, shared + p.width, p.width);
    float mean = p.mean[row], rstd = p.rstd[row];
    auto normalized = [&](int64_t j) {
      Pack<kPack> value = x.at(j);
      return make_pack<kPack>([&](int i) { return (value.x[i] - mean) * rstd; });
    };
    auto scaled_gradient = [&](int64_t j) {
      Pack<kPack> gradient = grad_y.at(j), weight = load_pack<kPack>(p.weight + j);
      return make_pack<kPack>([&](int i) { return gradient.x[i] * weight.x[i]; });
    };

    if (chunk_sums != nullptr) {
      for_own_columns<kPack>(p.width, [&](int64_t j) {
        Pack<kPack> gradient = grad_y.at(j), n = normalized(j);
        Pack<kPack> weight_sum = load_pack<kPack>(weight_sums + j);
        Pack<kPack> bias_sum = load_pack<kPack>(weight_sums + p.width + j);
        store_pack(weight_sums + j,
                   make_pack<kPack>([&](int i) { return weight_sum.x[i] + gradient.x[i] * n.x[i]; }));
        store_pack(weight_sums + p.width + j,
                   make_pack<kPack>([&](int i) { return bias_sum.x[i] + gradient.x[i]; }));
      });
    }
    if (p.grad_x == nullptr) continue;
    float mean_of_g = row_sum<kPack>(p.width, scaled_gradient) / width;
    float mean_of_product = row_sum<kPack>(p.width,
                                           [&](int64_t j) {
                                             Pack<kPack> g = scaled_gradient(j), n = normalized(j);
                                             return make_pack<kPack>([&](int i) { return g.x[i] * n.x[i]; });
                                           }) /
                            width;
    T* grad_x = static_cast<T*>(p.grad_x) + row * p.width;
    for_own_columns<kPack>(p.width, [&](int64_t j) {
      Pack<kPack> g = scaled_gradient(j), n = normalized(j), before{};
      if (p.accumulate) before = load_pack<kPack>(grad_x + j);
      store_pack(grad_x + j, make_pack<kPack>([&](int i) {
                   return rstd * (g.x[i] - mean_of_g - n.x[i] * mean_of_product) + before.x[i];
                 }));
    });
  }

  if (kKeep && chunk_sums != nullptr) {
    for_own_columns<kPack>(p.width, [&](int64_t j) {
      store_pack(chunk_sums + j, load_pack<kPack>(weight_sums + j));
      store_pack(chunk_sums + p.width + j, load_pack<kPack>(weight_sums + p.width + j));
    });
  }
}

constexpr int kChunkLanes = 8;

/// Adds the chunks' sums, [chunks, 2, width], to the gradients. Thread (j, k) takes the chunks k, k + 8, …
__global__ void add_chunks(const float* sums, int64_t chunks, int64_t width, float* grad_weight,
                           float* grad_bias) {
  __shared__ float partial[kChunkLanes][kWarp];
  int64_t column = int64_t{blockIdx.x} * kWarp + threadIdx.x;  // of weight and bias together
  float total = 0;
  if (column < 2 * width) {
    for (int64_t chunk = threadIdx.y; chunk < chunks; chunk += kChunkLanes) {
      total += sums[chunk * 2 * width + column];
    }
  }
  partial[threadIdx.y][threadIdx.x] = total;
  __syncthreads();
  if (threadIdx.y != 0 || column >= 2 * width) return;
  total = 0;
#pragma unroll
  for (int k = 0; k < kChunkLanes; k++) total += partial[k][threadIdx.x];
  float* gradient = column < width ? grad_weight : grad_bias;
  if (gradient != nullptr) gradient[column < width ? column : column - width] += total;
}

int64_t rows_of_chunk(int64_t rows) {
  int64_t needed = (rows + kMostChunks - 1) / kMostChunks;
  return needed > kRowsOfChunk ? needed : kRowsOfChunk;
}

int64_t chunks_of(int64_t rows) { return (rows + rows_of_chunk(rows) - 1) / rows_of_chunk(rows); }

bool wants_parameter_gradients(const LayerNormBackward& p) {
  return p.grad_weight != nullptr || p.grad_bias != nullptr;
}

/// Calls function(keep), a constant: whether that many bytes fit into shared memory.
template <class Function>
void with_room(size_t bytes, const Function& function) {
  if (bytes <= kSharedBytes) {
    function(std::true_type{});
  } else {
    function(std::false_type{});
  }
}

}  // namespace

void CudaKernels::run(const LayerNormForward& p) {
  size_t bytes = static_cast<size_t>(p.width) * sizeof(float);
  with_element_type(p.dtype, [&](auto activation) {
    with_pack_size(p.width, [&](auto pack) {
      with_room(bytes, [&](auto keep) {
        using T = decltype(activation);
        start({"layerNorm", static_cast<unsigned>(p.rows), threads_for(p.width / pack, kMostThreads),
               keep ? bytes : 0},
              normalize<T, pack, keep>, p);
      });
    });
  });
}

void CudaKernels::run(const LayerNormBackward& p) {
  float* sums = wants_parameter_gradients(p) ? static_cast<float*>(p.workspace) : nullptr;
  size_t bytes = 4 * static_cast<size_t>(p.width) * sizeof(float);
  int64_t chunks = chunks_of(p.rows);
  with_element_type(p.dtype, [&](auto activation) {
    with_pack_size(p.width, [&](auto pack) {
      with_room(bytes, [&](auto keep) {
        using T = decltype(activation);
        start({"layerNorm's backward", static_cast<unsigned>(chunks),
               threads_for(p.width / pack, kMostThreads), keep ? bytes : 0},
              normalize_backward<T, pack, keep>, p, rows_of_chunk(p.rows), sums);
      });
    });
  });
  if (sums == nullptr) return;
  start({"layerNorm's backward",
         static_cast<unsigned>((2 * p.width + kWarp - 1) / kWarp),
         {kWarp, kChunkLanes}},
        add_chunks, sums, chunks, p.width, p.grad_weight, p.grad_bias);
}

size_t CudaKernels::workspace_bytes(const LayerNormBackward& p) const {
  if (!wants_parameter_gradients(p)) return 0;
  return static_cast<size_t>(chunks_of(p.rows) * 2 * p.width) * sizeof(float);
}

}  // namespace glm::cuda
