#include "ops/check.h"
#include "ops/decoding.h"

namespace glm {
namespace {

/// Checks each row's choice and gives its results their place. Returns how many results there are.
int64_t arrange(TokenChoices& choices, int64_t vocabulary) {
  int64_t results = 0, forbidden = static_cast<int64_t>(choices.forbidden.size());
  for (TokenChoice& choice : choices.rows) {
    require(choice.count >= 1 && choice.count <= 1024, Code::kInvalidArgument,
            "chooseTokens: expected a count from 1 to 1024, found ", choice.count);
    require(choice.temperature >= 0 && choice.temperature <= 1e9f, Code::kInvalidArgument,
            "chooseTokens: expected a temperature from 0 on, found ", choice.temperature);
    require(choice.temperature == 0 || choice.count == 1, Code::kInvalidArgument,
            "chooseTokens: expected a count of 1 when sampling, found ", choice.count);
    require(choice.top_k >= 0 && choice.top_p > 0 && choice.top_p <= 1, Code::kInvalidArgument,
            "chooseTokens: expected topK from 0 on and topP in (0, 1], found ", choice.top_k, " and ",
            choice.top_p);
    require(0 <= choice.forbidden_begin && choice.forbidden_begin <= choice.forbidden_end &&
                choice.forbidden_end <= forbidden,
            Code::kInvalidArgument, "chooseTokens: expected forbidden tokens within the ", forbidden,
            " given");
    choice.result = static_cast<int32_t>(results);
    results += choice.count;
  }
  for (int32_t id : choices.forbidden) {
    require(id >= 0 && id < vocabulary, Code::kInvalidArgument,
            "chooseTokens: expected forbidden ids in [0, ", vocabulary, "), found ", id);
  }
  return results;
}

}  // namespace

ChosenTokens choose_tokens(Context& context, const VariablePtr& logits, TokenChoices choices) {
  check_activations(logits, "chooseTokens", "logits");
  int64_t vocabulary = logits->shape()[1];
  require(static_cast<int64_t>(choices.rows.size()) == logits->shape()[0], Code::kInvalidArgument,
          "chooseTokens: expected a choice for each of ", logits->shape()[0], " rows, found ",
          choices.rows.size());
  require(choices.limit >= 1 && choices.limit <= vocabulary, Code::kInvalidArgument,
          "chooseTokens: expected a limit in [1, ", vocabulary, "], found ", choices.limit);
  int64_t results = arrange(choices, vocabulary);
  ChosenTokens chosen{.ids = Tensor(context.device, Shape{results}, DType::kInt32),
                      .logprobs = Tensor(context.device, Shape{results}, DType::kFloat32)};
  auto host = std::make_shared<const TokenChoices>(std::move(choices));
  context.device->launch(
      ChooseTokens{
          .dtype = logits->dtype(),
          .rows = logits->shape()[0],
          .vocabulary = vocabulary,
          .limit = host->limit,
          .logits = logits->data(),
          .choices = host->rows.data(),
          .forbidden = host->forbidden.data(),
          .ids = chosen.ids.as<int32_t>(),
          .logprobs = chosen.logprobs.as<float>(),
      },
      host);
  return chosen;
}

}  // namespace glm
