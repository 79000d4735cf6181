#pragma once

#include "autograd/variable.h"

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

}  // namespace glm
