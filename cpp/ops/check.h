#pragma once

#include "autograd/variable.h"
#include "ops/batch.h"

namespace glm {

/// Throws unless `variable` has `shape` and `dtype`; `op` and `name` say where.
inline void check(const VariablePtr& variable, const char* op, const char* name, const Shape& shape,
                  DType dtype) {
  require(variable != nullptr, Code::kInvalidArgument, op, ": expected ", name,
          " to be a tensor, found none");
  require(variable->shape() == shape && variable->dtype() == dtype, Code::kInvalidArgument, op, ": expected ",
          name, " to be ", name_of(dtype), " ", shape.str(), ", found ", name_of(variable->dtype()), " ",
          variable->shape().str());
}

/// Throws unless a table has a row for every value that the batch may hold.
inline void check_rows(const VariablePtr& table, const char* op, const char* name, int64_t limit) {
  require(limit > 0 && table->shape()[0] >= limit, Code::kInvalidArgument, op, ": expected ", name,
          " to have a row for each value that the batch was checked for, ", limit, ", found ",
          table->shape().str());
}

/// Throws unless `variable` is a matrix of activations: [rows, columns] of float32 or bfloat16.
inline void check_activations(const VariablePtr& variable, const char* op, const char* name) {
  require(variable != nullptr, Code::kInvalidArgument, op, ": expected ", name,
          " to be a tensor, found none");
  require(variable->shape().rank() == 2, Code::kInvalidArgument, op, ": expected ", name,
          " to be a matrix [rows, columns], found ", variable->shape().str());
  require(variable->dtype() == DType::kFloat32 || variable->dtype() == DType::kBFloat16,
          Code::kInvalidArgument, op, ": expected ", name, " to be float32 or bfloat16, found ",
          name_of(variable->dtype()));
}

/// Throws unless `variable` is a matrix of weights: [rows, columns] of float32, bfloat16 or float16.
inline void check_weights(const VariablePtr& variable, const char* op, const char* name) {
  if (variable != nullptr && variable->shape().rank() == 2 && variable->dtype() == DType::kFloat16) return;
  check_activations(variable, op, name);
}

}  // namespace glm
