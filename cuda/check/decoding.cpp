#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "check/cases.h"

namespace glm::check {
namespace {

/// New tokens of one sequence: each sees the first `shared` rows of the cache, and of those behind them, one
/// for each new token, its own and every second before it.
struct Sequence {
  int32_t tokens, shared;
};

struct CacheShape {
  std::vector<Sequence> sequences;
  int32_t heads, width;
  DType dtype;
  bool rotary = false;

  int32_t tokens() const {
    int32_t sum = 0;
    for (const Sequence& s : sequences) sum += s.tokens;
    return sum;
  }
  template <class Count>
  int32_t most(const Count& count) const {
    int32_t largest = 0;
    for (const Sequence& s : sequences) largest = std::max(largest, count(s));
    return largest;
  }
  double seen_rows() const {
    int64_t sum = 0;
    for (const Sequence& s : sequences) sum += s.shared + s.tokens;
    return static_cast<double>(sum);
  }
  std::string name() const {
    std::string all =
        list_of(sequences, [](const Sequence& each) { return text(each.tokens, " after ", each.shared); });
    return text(all, " ", heads, "x", width, rotary ? " rotary" : "");
  }
};

/// The new tokens' keys and values go to the caches, then they attend to them: a layer of a decoding step.
void attend(Side& side, const CacheShape& s) {
  constexpr int32_t kLayers = 2, kLayer = 1, kSpare = 3;
  constexpr int64_t kPositions = 40;
  struct Host {
    std::vector<CachedSequence> sequences;
    std::vector<int32_t> seen_offsets{0}, seen, slots;
  };
  auto host = std::make_shared<Host>();
  int32_t token = 0;
  for (const Sequence& sequence : s.sequences) {
    int64_t capacity = sequence.shared + sequence.tokens + kSpare;
    void* cache = side.result("cache", s.dtype, kLayers * s.heads * capacity * 2 * s.width, true);
    host->sequences.push_back({cache, capacity, token, sequence.tokens, sequence.shared});
    token += sequence.tokens;
    for (int32_t i = 0; i < sequence.tokens; i++) {
      host->slots.push_back(sequence.shared + i);
      for (int32_t j = i % 2; j <= i; j += 2) host->seen.push_back(sequence.shared + j);
      host->seen_offsets.push_back(static_cast<int32_t>(host->seen.size()));
    }
  }
  side.keep(host);
  StoreKeyValues store;
  store.dtype = s.dtype;
  store.layout.tokens = token;
  store.layout.sequences = static_cast<int32_t>(host->sequences.size());
  store.layout.most_tokens = s.most([](const Sequence& each) { return each.tokens; });
  store.layout.most_keys = s.most([](const Sequence& each) { return each.shared + each.tokens; });
  store.layout.sequence = side.copy(host->sequences);
  store.layout.slots = side.copy(host->slots);
  store.layout.seen_offsets = side.copy(host->seen_offsets);
  store.layout.seen = side.copy(host->seen);
  store.layer = kLayer;
  store.heads = s.heads;
  store.head_width = s.width;
  store.qkv = side.input(s.dtype, int64_t{token} * 3 * s.heads * s.width);
  if (s.rotary) {
    store.rotary = side.copy(rotary_table(kPositions, s.width));
    store.positions = side.integers(token, kPositions);
    store.block_positions = side.integers(token, kPositions);
  }
  side.run(store);
  side.run(AttentionCached{.dtype = s.dtype,
                           .layout = store.layout,
                           .layer = kLayer,
                           .heads = s.heads,
                           .head_width = s.width,
                           .scale = 1 / std::sqrt(static_cast<float>(s.width)),
                           .qkv = store.qkv,
                           .rotary = store.rotary,
                           .positions = store.positions,
                           .block_positions = store.block_positions,
                           .out = side.result("out", s.dtype, int64_t{token} * s.heads * s.width)});
}

struct ChoiceShape {
  int64_t rows, vocabulary;
  DType logits;
  const char* name;
  TokenChoice choice;
};

/// Results are float32 and ids, whatever the logits are.
void choose(Side& side, const ChoiceShape& s) {
  struct Host {
    std::vector<TokenChoice> choices;
    std::vector<int32_t> forbidden;
  };
  auto host = std::make_shared<Host>();
  for (int64_t row = 0; row < s.rows; row++) {
    TokenChoice choice = s.choice;
    choice.token = static_cast<uint64_t>(row);
    choice.result = static_cast<int32_t>(row) * choice.count;
    choice.forbidden_begin = static_cast<int32_t>(host->forbidden.size());
    for (int64_t id = row; id < s.vocabulary / 2; id += 5)
      host->forbidden.push_back(static_cast<int32_t>(id));
    choice.forbidden_end = static_cast<int32_t>(host->forbidden.size());
    host->choices.push_back(choice);
  }
  side.keep(host);
  int64_t results = s.rows * s.choice.count;
  side.run(ChooseTokens{
      .dtype = s.logits,
      .rows = s.rows,
      .vocabulary = s.vocabulary,
      .limit = s.vocabulary - s.vocabulary / 4,
      .logits = side.input(s.logits, s.rows * s.vocabulary, 5),
      .choices = host->choices.data(),
      .forbidden = host->forbidden.data(),
      .ids = static_cast<int32_t*>(side.result("ids", DType::kInt32, results)),
      .logprobs = static_cast<float*>(side.result("logprobs", DType::kFloat32, results)),
  });
}

void add(std::vector<Case>& cases, const CacheShape& s, bool large) {
  double row = static_cast<double>(int64_t{s.heads} * s.width * size_of(s.dtype));
  Work work{2 * row * s.seen_rows(), 4 * static_cast<double>(s.heads * s.width) * s.seen_rows(), false};
  cases.push_back(
      {"attention to a cache", s.name(), s.dtype, large, work, [s](Side& side) { attend(side, s); }});
}

void add(std::vector<Case>& cases, const ChoiceShape& s, bool large) {
  double size = static_cast<double>(s.rows * s.vocabulary * size_of(s.logits));
  cases.push_back({"choosing tokens",
                   text(s.rows, " of ", s.vocabulary, " ", s.name, " ", short_name(s.logits)),
                   DType::kFloat32,
                   large,
                   {size, 0},
                   [s](Side& side) { choose(side, s); }});
}

}  // namespace

std::vector<Case> decoding_cases() {
  std::vector<Case> cases;
  // A sequence's first tokens; several chunks of keys with a remainder; more tokens than a tile has; tokens
  // of which only later ones see keys of a second block.
  const std::vector<Sequence> first{{1, 0}}, ragged{{1, 70}, {5, 31}, {2, 0}}, many{{19, 40}},
      late{{16, 124}};
  for (DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (int32_t width : {64, 128, 13}) {
      for (const auto& sequences : {first, ragged, many, late})
        add(cases, {sequences, 2, width, dtype}, false);
    }
    add(cases, {ragged, 3, 72, dtype, true}, false);
    add(cases, {std::vector<Sequence>(1, {1, 1023}), 16, 64, dtype}, true);
    add(cases, {std::vector<Sequence>(32, {1, 1023}), 16, 64, dtype}, true);

    const TokenChoice likeliest{.count = 16};
    const TokenChoice sampled{.temperature = 0.8f, .seed = 3, .blank = 5};
    TokenChoice cut = sampled;
    cut.top_k = 20;
    cut.top_p = 0.7f;
    for (auto [name, choice] :
         {std::pair{"likeliest", likeliest}, std::pair{"sampled", sampled}, std::pair{"cut", cut}}) {
      for (int64_t vocabulary : {33, 1100}) add(cases, {7, vocabulary, dtype, name, choice}, false);
      add(cases, {8, 50304, dtype, name, choice}, true);
    }
  }
  return cases;
}

}  // namespace glm::check
