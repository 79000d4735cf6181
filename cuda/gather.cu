// Rows picked by index, and put back:  out[r] = x[indices[r]]  and  out = 0, then out[indices[r]] = x[r].
// x, out [.., width] in the activation type; copies of bytes, no arithmetic, a block a row, in words of as
// many bytes as rows of this width are aligned to. Memory traffic: each row read and written once; scatter
// clears the whole output first.

#include "device/pack.cuh"
#include "kernels.h"

namespace glm::cuda {
namespace {

constexpr unsigned kMostThreads = 256;

/// Block r copies row from[r] of x to row to[r] of out; null: row r. Rows of `words` words.
template <class Word>
__global__ void copy_rows(const Word* x, const int32_t* from, Word* out, const int32_t* to, int64_t words) {
  int64_t row = blockIdx.x;
  const Word* source = x + (from != nullptr ? from[row] : row) * words;
  Word* target = out + (to != nullptr ? to[row] : row) * words;
  for (int64_t i = threadIdx.x; i < words; i += blockDim.x) target[i] = source[i];
}

template <class Function>
void with_word_type(int64_t row_bytes, const Function& function) {
  if (row_bytes % 16 == 0) {
    function(uint4{});
  } else if (row_bytes % 4 == 0) {
    function(uint32_t{});
  } else {
    function(uint16_t{});
  }
}

}  // namespace

void CudaKernels::run(const GatherRows& p) {
  int64_t row_bytes = p.width * size_of(p.dtype);
  with_word_type(row_bytes, [&](auto word) {
    using Word = decltype(word);
    int64_t words = row_bytes / static_cast<int64_t>(sizeof(Word));
    start({"gatherRows", static_cast<unsigned>(p.rows), threads_for(words, kMostThreads)}, copy_rows<Word>,
          static_cast<const Word*>(p.x), p.indices, static_cast<Word*>(p.out), nullptr, words);
  });
}

void CudaKernels::run(const ScatterRows& p) {
  int64_t row_bytes = p.width * size_of(p.dtype);
  run(Zero{.out = p.out, .bytes = p.out_rows * row_bytes});
  with_word_type(row_bytes, [&](auto word) {
    using Word = decltype(word);
    int64_t words = row_bytes / static_cast<int64_t>(sizeof(Word));
    start({"scatterRows", static_cast<unsigned>(p.rows), threads_for(words, kMostThreads)}, copy_rows<Word>,
          static_cast<const Word*>(p.x), nullptr, static_cast<Word*>(p.out), p.indices, words);
  });
}

}  // namespace glm::cuda
