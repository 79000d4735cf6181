#pragma once

// A tile of a matrix in shared memory: rows of kRowBytes, in chunks of 16 bytes, the unit of copies and of
// ldmatrix. Chunks of a row are exchanged (chunk ^ row) so that eight neighbouring rows have the same chunk
// in eight different groups of four banks: neither copying rows in nor reading down a column of chunks makes
// two lanes meet in a bank.

#include <cstdint>

#include "device/async_copy.cuh"

namespace glm::cuda {

/// A matrix in global memory, as bytes; rows begin at multiples of 16, and so do what is to be read of them:
/// `row_bytes` is rounded up to 16, and what the rounding adds is zero.
struct ByteMatrix {
  const char* data;
  int64_t stride;  // bytes from one row to the next
  int32_t rows;
  int32_t row_bytes;
};

template <int kRowCount, int kRowByteCount>
struct SharedTile {
  static constexpr int kRows = kRowCount, kRowBytes = kRowByteCount, kBytes = kRows * kRowBytes;
  static constexpr int kChunks = kRowBytes / 16;
  static_assert(kChunks == 4 || kChunks % 8 == 0, "other widths would need another exchange");

  /// Where a chunk lies, in bytes.
  __device__ static constexpr uint32_t place(int row, int chunk) {
    int exchange = kChunks == 4 ? row >> 1 & 3 : row & 7;
    return static_cast<uint32_t>(row * kRowBytes + ((chunk ^ exchange) << 4));
  }
};

/// The tile of an operand: `kExtent` rows or columns of the product, a piece of the depth for each. In memory
/// either the depth's elements are neighbours or, depth-major, those of the other dimension.
template <int kExtent, int kDepth, int kElementBytes, bool kDepthMajor>
using OperandTile =
    SharedTile<kDepthMajor ? kDepth : kExtent, (kDepthMajor ? kExtent : kDepth) * kElementBytes>;

/// What one of kThreads threads copies of the tiles that lie one behind the other in a matrix, down its rows
/// or along them. Outside of the matrix there are zeros.
template <class Tile, int kThreads, bool kDownRows>
class TileCopy {
 public:
  __device__ TileCopy(const ByteMatrix& matrix, int first_row, int first_byte)
      : stride_(matrix.stride),
        rows_left_(matrix.rows - first_row - row()),
        bytes_left_(matrix.row_bytes - first_byte - chunk() * 16),
        from_(matrix.data + (first_row + row()) * matrix.stride + first_byte + chunk() * 16) {}

  /// Begins to copy the tile, and goes on to the next.
  __device__ void next(uint32_t shared) {
    if (Tile::kRows < kRowsOfPass && row() >= Tile::kRows) return;  // more threads than chunks
#pragma unroll
    for (int pass = 0; pass < kPasses; pass++) {
      int down = pass * kRowsOfPass;
      copy_async(shared + Tile::place(row() + down, chunk()), from_ + down * stride_,
                 down < rows_left_ && bytes_left_ > 0);
    }
    if constexpr (kDownRows) {
      from_ += Tile::kRows * stride_;
      rows_left_ -= Tile::kRows;
    } else {
      from_ += Tile::kRowBytes;
      bytes_left_ -= Tile::kRowBytes;
    }
  }

 private:
  static constexpr int kRowsOfPass = kThreads / Tile::kChunks;
  static constexpr int kPasses = Tile::kRows < kRowsOfPass ? 1 : Tile::kRows / kRowsOfPass;

  __device__ static int row() { return static_cast<int>(threadIdx.x) / Tile::kChunks; }
  __device__ static int chunk() { return static_cast<int>(threadIdx.x) % Tile::kChunks; }

  int64_t stride_;
  int32_t rows_left_, bytes_left_;
  const char* from_;
};

}  // namespace glm::cuda
