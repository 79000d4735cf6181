// The key-value cache of decoding: new rows are stored, and rows move when a cache grows. A cache is
// [layers, H, capacity, 2, D]: a head's keys and values lie one row behind the other, as attention reads
// them. Memory traffic: each element read and written once.

#include "cpu/attention/rotary.h"
#include "cpu/element_type.h"
#include "cpu/kernels.h"

namespace glm::GLM_ISA {
namespace {

/// The keys and values of one token: one row for each head.
template <class T>
void store_token(const StoreKeyValues& p, const CachedSequence& sequence, int64_t token) {
  int64_t heads = p.heads, width = p.head_width;
  attention::Rotary rotary = attention::rotary_of(p);
  const T* keys = static_cast<const T*>(p.qkv) + (token * 3 + 1) * heads * width;
  const T* values = keys + heads * width;
  size_t bytes = static_cast<size_t>(width) * sizeof(T);
  for (int64_t head = 0; head < heads; head++) {
    int64_t row = (p.layer * heads + head) * sequence.capacity + p.layout.slots[token];
    T* out = static_cast<T*>(sequence.cache) + row * 2 * width;
    if (rotary.table != nullptr) {
      attention::rotate<true>(rotary, token, width, keys + head * width, out);
    } else {
      std::memcpy(out, keys + head * width, bytes);
    }
    std::memcpy(out + width, values + head * width, bytes);
  }
}

}  // namespace

void CpuKernels::run(const CopyBlocks& p) {
  parallel_.ranges(p.blocks, 8, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; block++) {
      std::memcpy(static_cast<char*>(p.out) + block * p.out_stride,
                  static_cast<const char*>(p.x) + block * p.x_stride, static_cast<size_t>(p.bytes));
    }
  });
}

void CpuKernels::run(const StoreKeyValues& p) {
  constexpr int64_t kTokensOfPiece = 16;
  with_element_type(p.dtype, [&](auto zero) {
    using T = decltype(zero);
    parallel_.ranges(p.layout.tokens, kTokensOfPiece, [&](int64_t begin, int64_t end) {
      const CachedSequence* sequence = p.layout.sequence;
      for (int64_t token = begin; token < end; token++) {
        while (token >= sequence->first + sequence->tokens) sequence++;
        store_token<T>(p, *sequence, token);
      }
    });
  });
}

}  // namespace glm::GLM_ISA
