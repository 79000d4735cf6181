#pragma once

// C[m, n] = or += A · B over a depth k, by the scheme of Goto & van de Geijn, "Anatomy of High-Performance
// Matrix Multiplication" (TOMS 2008), with one pass over C:
//
//   for each super block of B (columns, or a part of the depth)      so that packed B stays in the last-level
//   cache
//     pack B, all threads together, into shared memory
//     for each block of rows of C, one thread each                   packed A stays in that thread's
//     second-level cache
//       pack these rows of A, the whole depth of the super block
//       for each group of kGroupColumns columns
//         for each block of the depth, panel of B, panel of A        the panel of B stays in the caches next
//         to the core
//           multiply_tile
//         epilogue on the finished group: rows × kGroupColumns
//
// Work: 2 m n k operations. Memory traffic: A and C once, B twice (packing, then from cache once per block of
// rows).
//
// The depth is cut by sizes alone and never between threads, and an element of C adds its blocks in order, so
// the bits depend neither on the number of threads nor on how rows and columns are shared out.

#include "cpu/gemm/pack.h"
#include "runtime/thread_pool.h"

namespace glm::GLM_ISA {

/// What happens to a finished block of the product while it is in the cache: rows [row, row + rows) and
/// columns [column, column + columns) of C, at `block` with kGroupColumns floats per row.
struct Epilogue {
  void (*apply)(const void* context, const float* block, int64_t row, int64_t rows, int64_t column,
                int64_t columns) = nullptr;
  const void* context = nullptr;
};

struct Product {
  int64_t m = 0, n = 0, k = 0;
  Operand a{}, b{};
  float* c = nullptr;  // [m, n] where there is no epilogue, which else writes the result
  bool accumulate = false;
  Epilogue epilogue{};
};

constexpr int64_t kGroupColumns = 64;  // a block of dropout, and some panels of B
constexpr int64_t kThinRows = 32;      // up to about here A alone is packed (thin.h); a multiple of 4

/// How a product is cut up. Only the blocks of rows and `column_chunk` depend on the number of threads.
struct GemmPlan {
  int64_t depth_block;    // elements; even
  int64_t super_depth;    // elements of the depth in a super block, a multiple of depth_block
  int64_t super_columns;  // columns in a super block, a multiple of kGroupColumns
  int64_t row_blocks;     // the rows are cut into so many blocks, whole tiles, each packed by one thread
  int64_t row_block;      // rows of the largest of them
  int64_t column_chunk;   // columns of a super block that make one task with a block of rows
  int64_t row_block_words, shared_words;
  size_t thread_bytes() const {
    return static_cast<size_t>(round_up((row_block_words + row_block * kGroupColumns) * 4, 4096));
  }
};

inline GemmPlan plan_gemm(int64_t m, int64_t n, int64_t k, int64_t depth_of_word, bool direct, int threads) {
  constexpr CacheBlocks kBlocks = kCacheBlocks;
  constexpr int64_t kSharedWords = (8 << 20) / 4;  // a part of the last-level cache
  GemmPlan plan;
  int64_t columns = round_up(n, kGroupColumns);
  int64_t depth_blocks = divide_up(k, kBlocks.depth * depth_of_word);
  if (depth_blocks == 0) depth_blocks = 1;
  plan.depth_block = round_up(divide_up(k, depth_blocks), 2);
  if (plan.depth_block == 0) plan.depth_block = 2;
  plan.super_depth = depth_blocks * plan.depth_block;
  plan.super_columns = columns;
  auto words = [&](int64_t depth, int64_t width) { return depth / depth_of_word * width; };
  if (direct && kBlocks.least_rows > 0) {
    int64_t fit = kBlocks.rows_of_a / words(plan.depth_block, kBlocks.least_rows);
    if (fit < 1) fit = 1;
    if (fit < depth_blocks) plan.super_depth = fit * plan.depth_block;
  }
  if (words(plan.super_depth, columns) > kSharedWords) {
    if (direct) {
      int64_t fit = kSharedWords / words(plan.depth_block, columns);
      plan.super_depth = (fit < 1 ? 1 : fit) * plan.depth_block;
    }
    int64_t fit = kSharedWords / words(plan.super_depth, kGroupColumns) * kGroupColumns;
    if (fit < 4 * kGroupColumns) fit = 4 * kGroupColumns;
    if (fit < columns)
      plan.super_columns = round_up(divide_up(columns, divide_up(columns, fit)), kGroupColumns);
  }
  int64_t rows = kBlocks.rows_of_a / words(plan.super_depth, 1) / kTileRows * kTileRows;
  int64_t share = round_up(divide_up(m, 8 * threads), kTileRows);  // several blocks for each thread
  if (rows > share) rows = share;
  if (rows > kBlocks.most_rows / kTileRows * kTileRows) rows = kBlocks.most_rows / kTileRows * kTileRows;
  if (rows < 2 * kTileRows) rows = 2 * kTileRows;
  // As many blocks for each thread, of sizes that differ by a tile at most.
  int64_t tiles = divide_up(m, kTileRows);
  plan.row_blocks = round_up(divide_up(tiles, rows / kTileRows), threads);
  if (plan.row_blocks > tiles) plan.row_blocks = tiles;
  if (plan.row_blocks < 1) plan.row_blocks = 1;
  plan.row_block = (tiles > 0 ? divide_up(tiles, plan.row_blocks) : 1) * kTileRows;
  int64_t chunks = threads == 1 ? 1 : divide_up(6 * threads, plan.row_blocks);
  plan.column_chunk = round_up(divide_up(plan.super_columns, chunks), kGroupColumns);
  if (plan.column_chunk < 2 * kGroupColumns) plan.column_chunk = 2 * kGroupColumns;
  plan.row_block_words = round_up(plan.row_block * divide_up(plan.super_depth, depth_of_word), 16);
  plan.shared_words = round_up(words(plan.super_depth, plan.super_columns), 1024);
  return plan;
}

template <class Word>
class Gemm {
 public:
  static constexpr int64_t kDepth = WordTraits<Word>::kDepth;

  Gemm(const Parallel& parallel, const Product& product)
      : parallel_(parallel),
        product_(product),
        plan_(plan_gemm(product.m, product.n, product.k, kDepth, is_direct(), parallel.threads())) {}

  void run(void* workspace) {
    if (product_.m == 0 || product_.n == 0) return;
    shared_ = static_cast<Word*>(workspace);
    private_ = reinterpret_cast<char*>(shared_ + plan_.shared_words);
    for (int64_t depth = 0; depth < product_.k || depth == 0; depth += plan_.super_depth) {
      for (int64_t column = 0; column < product_.n; column += plan_.super_columns) {
        super_ = {depth, smaller(depth + plan_.super_depth, product_.k), column,
                  smaller(column + plan_.super_columns, product_.n)};
        pack_shared();
        multiply_super_block();
      }
    }
  }

 private:
  struct Super {
    int64_t depth_begin, depth_end, column_begin, column_end;
  };

  static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
  bool is_direct() const { return product_.epilogue.apply == nullptr; }

  /// Words of packed B before depth `k` of the super block: whole blocks of the depth, over all its columns.
  int64_t shared_offset(int64_t k) const {
    return divide_up(k - super_.depth_begin, kDepth) *
           round_up(super_.column_end - super_.column_begin, kTileColumns);
  }
  int64_t depth_end(int64_t k) const { return smaller(k + plan_.depth_block, super_.depth_end); }

  void pack_shared() {
    constexpr int64_t kPiece = 4 * kGroupColumns;
    int64_t columns = super_.column_end - super_.column_begin;
    int64_t pieces = divide_up(columns, kPiece);
    int64_t depth_blocks = divide_up(super_.depth_end - super_.depth_begin, plan_.depth_block);
    parallel_.parts(pieces * depth_blocks, [&](int64_t part) {
      int64_t k = super_.depth_begin + part / pieces * plan_.depth_block, end = depth_end(k);
      int64_t column = part % pieces * kPiece;
      Word* out = shared_ + shared_offset(k) + column * divide_up(end - k, kDepth);
      pack_operand<kTileColumns>(product_.b, super_.column_begin + column, smaller(kPiece, columns - column),
                                 k, end, out);
    });
  }

  template <int kPanel>
  static void pack_operand(const Operand& operand, int64_t first, int64_t count, int64_t begin, int64_t end,
                           Word* out) {
    if constexpr (kDepth == 2) {
      pack<kPanel, Word, bfloat16>(operand, first, count, begin, end, out);
    } else if (operand.dtype == DType::kBFloat16) {
      pack<kPanel, Word, bfloat16>(operand, first, count, begin, end, out);
    } else if (operand.dtype == DType::kFloat16) {
      pack<kPanel, Word, float16>(operand, first, count, begin, end, out);
    } else {
      pack<kPanel, Word, float>(operand, first, count, begin, end, out);
    }
  }

  /// Tasks are taken in order by as many parts as there are threads, each with a buffer of its own.
  void multiply_super_block() {
    int64_t chunks = divide_up(super_.column_end - super_.column_begin, plan_.column_chunk);
    int64_t tiles = divide_up(product_.m, kTileRows), tasks = plan_.row_blocks * chunks;
    int64_t next = 0;
    int64_t parts = smaller(parallel_.threads(), tasks);
    parallel_.parts(parts, [&](int64_t part) {
      Word* packed = reinterpret_cast<Word*>(private_ + static_cast<size_t>(part) * plan_.thread_bytes());
      int64_t packed_row = -1;
      for (;;) {
        int64_t task = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
        if (task >= tasks) return;
        int64_t row_block = task / chunks, row = row_block * tiles / plan_.row_blocks * kTileRows;
        int64_t rows = smaller((row_block + 1) * tiles / plan_.row_blocks * kTileRows, product_.m) - row;
        int64_t column = super_.column_begin + task % chunks * plan_.column_chunk;
        int64_t column_end = smaller(column + plan_.column_chunk, super_.column_end);
        if (row != packed_row) pack_rows(row, rows, packed);
        packed_row = row;
        for (; column < column_end; column += kGroupColumns) {
          multiply_group(row, rows, column, smaller(kGroupColumns, column_end - column), packed);
        }
      }
    });
  }

  void pack_rows(int64_t row, int64_t rows, Word* packed) const {
    for (int64_t k = super_.depth_begin; k < super_.depth_end; k += plan_.depth_block) {
      pack_operand<kTileRows>(product_.a, row, rows, k, depth_end(k), packed);
      packed += round_up(rows, kTileRows) * divide_up(depth_end(k) - k, kDepth);
    }
  }

  /// The columns [column, column + columns) of a block of rows, kGroupColumns at most.
  void multiply_group(int64_t row, int64_t rows, int64_t column, int64_t columns, const Word* packed) const {
    float* block = reinterpret_cast<float*>(const_cast<Word*>(packed) + plan_.row_block_words);
    for (int64_t k = super_.depth_begin; k < super_.depth_end || k == 0; k += plan_.depth_block) {
      int64_t words = divide_up(depth_end(k) - k, kDepth);
      const Word* b = shared_ + shared_offset(k) + (column - super_.column_begin) * words;
      for (int64_t j = 0; j < columns; j += kTileColumns, b += words * kTileColumns) {
        const Word* a = packed;
        for (int64_t i = 0; i < rows; i += kTileRows, a += words * kTileRows) {
          int64_t tile_rows = smaller(kTileRows, rows - i);
          if (kCacheBlocks.fetch_next_panel) fetch_next_panel(b, words, i, rows);
          if (is_direct()) {
            multiply_into_c(row + i, tile_rows, column + j, words, a, b, product_.accumulate || k > 0);
          } else {
            multiply_tile_rows(tile_rows, words, a, b, block + i * kGroupColumns + j, kGroupColumns,
                               k > super_.depth_begin);
          }
        }
      }
      packed += round_up(rows, kTileRows) * words;
    }
    if (!is_direct()) product_.epilogue.apply(product_.epilogue.context, block, row, rows, column, columns);
  }

  /// The share of the tile at row i of fetching the panel of B that lies behind this one. Near the end of the
  /// packed columns there is none, and what is asked for is not used.
  static void fetch_next_panel(const Word* b, int64_t words, int64_t i, int64_t rows) {
    constexpr int64_t kLine = 64 / sizeof(Word);
    int64_t panel = words * kTileColumns, last = smaller(i + kTileRows, rows);
    const char* next = reinterpret_cast<const char*>(b + panel);
    for (int64_t word = panel * i / rows / kLine * kLine; word < panel * last / rows; word += kLine) {
      __builtin_prefetch(next + word * static_cast<int64_t>(sizeof(Word)), 0, 2);
    }
  }

  void multiply_into_c(int64_t row, int64_t rows, int64_t column, int64_t words, const Word* a, const Word* b,
                       bool accumulate) const {
    float* c = product_.c + row * product_.n + column;
    int64_t columns = smaller(kTileColumns, product_.n - column);
    if (rows == kTileRows && columns == kTileColumns) {
      multiply_tile<kTileRows>(words, a, b, c, product_.n, accumulate);
      return;
    }
    float tile[kTileRows * kTileColumns];
    multiply_tile_rows(rows, words, a, b, tile, kTileColumns, false);
    for (int64_t i = 0; i < rows; i++) {
      float* to = c + i * product_.n;
      const float* from = tile + i * kTileColumns;
      for (int64_t j = 0; j < columns; j++) to[j] = accumulate ? to[j] + from[j] : from[j];
    }
  }

  const Parallel& parallel_;
  const Product& product_;
  GemmPlan plan_;
  Super super_{};
  Word* shared_ = nullptr;
  char* private_ = nullptr;
};

/// Whether pairs of bfloat16 are multiplied as they are.
inline bool multiplies_pairs(const Product& p) {
  return GLM_HAS_BF16_PRODUCTS && p.a.dtype == DType::kBFloat16 && p.b.dtype == DType::kBFloat16;
}

/// Bytes that `multiply` needs; a function of m, n, k, the operands' types, whether there is an epilogue, and
/// threads.
inline size_t multiply_workspace(const Product& p, int threads) {
  GemmPlan plan = plan_gemm(p.m, p.n, p.k, multiplies_pairs(p) ? 2 : 1, p.epilogue.apply == nullptr, threads);
  return static_cast<size_t>(plan.shared_words) * 4 + static_cast<size_t>(threads) * plan.thread_bytes();
}

inline void multiply(const Parallel& parallel, const Product& product, void* workspace) {
#if GLM_HAS_BF16_PRODUCTS
  if (multiplies_pairs(product)) {
    Gemm<BFloat16Pair>(parallel, product).run(workspace);
    return;
  }
#endif
  Gemm<float>(parallel, product).run(workspace);
}

}  // namespace glm::GLM_ISA
