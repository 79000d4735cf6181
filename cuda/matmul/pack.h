#pragma once

#include "matmul/multiply.h"

namespace glm::cuda {

/// Whether products of a type take the operand where it lies: rows at multiples of 16 bytes, nothing to
/// convert or to activate.
bool is_direct(const Operand& operand, DType dtype);

/// Bytes of a packed operand of `rows` rows.
size_t packed_bytes(int64_t rows, int64_t width, DType dtype);

/// How a packed operand lies at `data`.
Operand packed_operand(int64_t width, DType dtype, const void* data);

/// Writes activation(x) as `dtype` to `out`, rows at multiples of 16 bytes with zeros behind them, where
/// products can take it.
Operand pack(const Queue& queue, const Operand& x, int64_t rows, int64_t width, DType dtype, void* out);

}  // namespace glm::cuda
