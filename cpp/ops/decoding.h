#pragma once

// The ops of decoding: they have no gradients and are not recorded.

#include <vector>

#include "autograd/tape.h"
#include "ops/key_value_cache.h"

namespace glm {

/// Stores the keys and values of a layer, qkv [N, 3h], in the caches of the step, and attends: to the whole
/// examples when the step encodes, else to what is in the caches. [N, h]; `rotary` as in attention(), or
/// null.
VariablePtr attention_cached(Context& context, const CacheStepPtr& step, int64_t layer,
                             const VariablePtr& qkv, const VariablePtr& rotary);

/// What to choose from each row of logits. See TokenChoice for the fields.
struct TokenChoices {
  int64_t limit = 0;  // ids from here on are never chosen
  std::vector<TokenChoice> rows;
  std::vector<int32_t> forbidden;
};

struct ChosenTokens {
  Tensor ids, logprobs;  // [Σ count]
};

/// The next tokens of each row of logits [rows, V].
ChosenTokens choose_tokens(Context& context, const VariablePtr& logits, TokenChoices choices);

}  // namespace glm
