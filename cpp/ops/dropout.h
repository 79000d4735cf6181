#pragma once

#include "base/dropout.h"
#include "ops/ops.h"

namespace glm {

inline Dropout checked_dropout(const DropoutOptions& options, const char* op) {
  require(options.probability >= 0 && options.probability < 1, Code::kInvalidArgument, op,
          ": expected a dropout probability in [0, 1), found ", options.probability);
  return make_dropout(options.probability, options.seed, options.site);
}

}  // namespace glm
