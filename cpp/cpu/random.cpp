// Normal random numbers from Philox words by Box and Muller's transform (1958):
//
//   out[i] = mean + deviation · sqrt(-2 ln u) · cos(2π t)   or   … · sin(2π t)
//
// Element i asks for word w of the counter that dropout_draw(i) names; words 0 and 1 make a pair (u, t), of
// which word 0's element takes the cosine and word 1's the sine; words 2 and 3 make another. So an element is
// a function of (seed, site, i) alone. u has 31 bits (so |normal| < 6.6), t 32. About 40 operations and 4
// bytes written per element.
//
// Every instruction set gives the same bits: all arithmetic is additions, products, divisions and square
// roots that IEEE 754 rounds in one way, and `product` forbids the compiler the one freedom it would take, to
// fuse a product into the addition that follows.

#include "cpu/dropout.h"
#include "cpu/kernels.h"
#include "cpu/vector_math.h"

namespace glm::GLM_ISA {
namespace {

constexpr int64_t kBlocksOfPiece = 256;

/// a · b, rounded. The empty statement could change the value for all the compiler knows.
GLM_INLINE Floats product(Floats a, Floats b) {
  Floats p = a * b;
#if defined(__x86_64__)
  __asm__("" : "+x"(p));
#elif defined(__aarch64__)
  __asm__("" : "+w"(p));
#endif
  return p;
}

/// Horner's rule: ((c[0] x + c[1]) x + c[2]) x + …
template <int count>
GLM_INLINE Floats rounded_polynomial(const float (&c)[count], Floats x) {
  Floats y = broadcast(c[0]);
  for (int i = 1; i < count; i++) y = product(y, x) + c[i];
  return y;
}

/// -ln of a number in (0, 1], as in vector_math.h: x = m · 2^e with m in [sqrt(1/2), sqrt(2)), ln m = f -
/// f²/2 + f³ p(f), f = m - 1
GLM_INLINE Floats minus_log(Floats x) {
  Ints above = bits_of(x) - bits_of(broadcast(detail::kSqrtHalf));
  Floats e = __builtin_convertvector(above >> 23, Floats);
  Floats f = floats_of((above & 0x007fffff) + bits_of(broadcast(detail::kSqrtHalf))) - 1.0f;
  Floats square = product(f, f);
  Floats low = product(e, broadcast(detail::kLn2Low)) +
               product(product(f, square), rounded_polynomial(detail::kLogExcess, f));
  return -(product(e, broadcast(detail::kLn2High)) + (f + (low - product(square, broadcast(0.5f)))));
}

struct Direction {
  Floats cosine, sine;
};

/// cos and sin of 2π · turn / 2^32. The upper bits name the nearest quarter turn, the rest is an angle within
/// π/4.
GLM_INLINE Direction direction(UInts turn) {
  constexpr float kRadians = 0x1.921fb6p-30f;  // 2π / 2^32
  UInts quarter = (turn + 0x20000000u) >> 30;
  Floats angle = product(__builtin_convertvector(reinterpret_cast<Ints>(turn - (quarter << 30)), Floats),
                         broadcast(kRadians));
  constexpr float kSine[] = {-0.000195152184f, 0.0083321603f, -0.166666552f};
  constexpr float kCosine[] = {2.4383482e-05f, -0.00138866808f, 0.0416666195f, -0.5f};
  Floats square = product(angle, angle);
  Floats s = angle + product(product(angle, square), rounded_polynomial(kSine, square));
  Floats c = product(square, rounded_polynomial(kCosine, square)) + 1.0f;
  // Quarter turns take (c, s) to (-s, c), (-c, -s) and (s, -c).
  Ints swapped = (reinterpret_cast<Ints>(quarter) & 1) != 0;
  Floats cosine = swapped ? s : c, sine = swapped ? c : s;
  Ints flip_cosine = reinterpret_cast<Ints>(((quarter + 1) & 2) << 30);
  Ints flip_sine = reinterpret_cast<Ints>((quarter & 2) << 30);
  return {floats_of(bits_of(cosine) ^ flip_cosine), floats_of(bits_of(sine) ^ flip_sine)};
}

/// The 64 elements that share the 16 counters from 16 · block on
void normal_block(const RandomNormal& p, uint64_t block, float* out) {
  for (int lane = 0; lane < 16; lane += kLanes) {
    PhiloxWords words = philox_lanes(p.seed, block << 4 | static_cast<uint64_t>(lane), p.site);
    for (int pair = 0; pair < 2; pair++) {
      Floats whole = __builtin_convertvector(reinterpret_cast<Ints>(words.word[2 * pair] >> 1), Floats);
      Floats radius = sqrt(product(minus_log(product(whole + 0.5f, broadcast(0x1p-31f))), broadcast(2.0f)));
      Direction d = direction(words.word[2 * pair + 1]);
      Floats scale = product(radius, broadcast(p.deviation));
      store(out + 32 * pair + lane, product(scale, d.cosine) + p.mean);
      store(out + 32 * pair + 16 + lane, product(scale, d.sine) + p.mean);
    }
  }
}

}  // namespace

void CpuKernels::run(const RandomNormal& p) {
  int64_t blocks = (p.elements + kDropoutBlock - 1) / kDropoutBlock;
  parallel_.ranges(blocks, kBlocksOfPiece, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; block++) {
      float* out = p.out + block * kDropoutBlock;
      int64_t count = p.elements - block * kDropoutBlock;
      if (count >= kDropoutBlock) {
        normal_block(p, static_cast<uint64_t>(block), out);
      } else {
        float last[kDropoutBlock];
        normal_block(p, static_cast<uint64_t>(block), last);
        std::memcpy(out, last, static_cast<size_t>(count) * sizeof(float));
      }
    }
  });
}

}  // namespace glm::GLM_ISA
