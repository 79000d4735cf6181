#include <algorithm>

#include "base/error.h"
#include "base/spans/row.h"
#include "check/cases.h"

// Span construction, with every option: the same bits, since all of it is integers.

namespace glm::check {
namespace {

enum class Kind { kBlanks, kSentences, kDocuments, kMixed, kSentinels, kMasked };

struct Shape {
  const char* name;
  Kind kind;
  int32_t texts, longest;
};

constexpr int32_t kVocabulary = 1000, kEos = 7, kLongestSpan = 40;
constexpr uint64_t kSeed = 11;
constexpr int32_t kFirstSample = 5;

std::vector<int32_t> shares(double ratio, int32_t longest) {
  std::vector<int32_t> table;
  for (int32_t i = 0; i <= longest; i++) table.push_back(static_cast<int32_t>(ratio * i));
  return table;
}

/// Lengths up to kLongestSpan, the shorter ones likelier.
std::vector<uint64_t> length_thresholds() {
  std::vector<uint64_t> below;
  double left = 1;
  for (int i = 1; i <= kLongestSpan; i++) {
    left *= 0.7;
    below.push_back(i == kLongestSpan ? uint64_t{1} << 32 : static_cast<uint64_t>((1 - left) * 0x1p32));
  }
  return below;
}

/// Every ninth token ends a sentence.
std::vector<uint8_t> sentence_ends() {
  std::vector<uint8_t> ends(kVocabulary);
  for (size_t id = 8; id < ends.size(); id += 9) ends[id] = 1;
  return ends;
}

SpanStrategy strategy_of(Side& side, const Shape& s) {
  constexpr uint64_t kHalf = uint64_t{1} << 31, kAlways = uint64_t{1} << 32;
  std::vector<int32_t> sentinels{20, 21, 22, 23, 24, 25, 26, 27};
  SpanStrategy strategy;
  strategy.cls = 1;
  strategy.eos = kEos;
  strategy.sop = 2;
  strategy.eop = 3;
  strategy.dblock = 4;
  strategy.mask[0] = 5, strategy.mask[1] = 6, strategy.mask[2] = 8;
  strategy.vocabulary = kVocabulary;
  strategy.sentence_ends = side.copy(sentence_ends());
  strategy.max_length = s.longest;
  std::vector<int32_t> blank = shares(0.15, s.longest), sentence = shares(0.3, s.longest);
  strategy.span_capacity = std::max({1, blank.back(), sentence.back()});
  strategy.most_spans = strategy.span_capacity;
  strategy.blank_budget = side.copy(blank);
  strategy.sentence_budget = side.copy(sentence);
  strategy.document_least = side.copy(shares(0.5, s.longest));
  strategy.length_below = side.copy(length_thresholds());
  strategy.longest_span = kLongestSpan;
  strategy.suffix = strategy.single_span = kHalf / 4;
  switch (s.kind) {
    case Kind::kBlanks:
      strategy.objective_below[0] = strategy.objective_below[1] = kAlways;
      break;
    case Kind::kSentences:
      strategy.objective_below[1] = kAlways;
      strategy.shuffle = strategy.block_positions = false;
      break;
    case Kind::kDocuments:
      break;
    case Kind::kMixed:
      strategy.objective_below[0] = kHalf;
      strategy.objective_below[1] = kHalf + kHalf / 2;
      strategy.short_sequence = strategy.span_mask = kHalf;
      strategy.context_budget = side.copy(shares(0.1, s.longest));
      strategy.context_range = 4;
      strategy.random_position = true;
      break;
    case Kind::kSentinels:
      strategy.objective_below[0] = strategy.objective_below[1] = kAlways;
      strategy.sentinel_masks = side.copy(sentinels);
      for (int32_t& id : sentinels) id += 20;
      strategy.sentinel_sops = side.copy(sentinels);
      strategy.sentinels = static_cast<int32_t>(sentinels.size());
      strategy.most_spans = std::min(strategy.span_capacity, strategy.sentinels + 1);
      break;
    case Kind::kMasked:
      strategy.objective_below[0] = strategy.objective_below[1] = kAlways;
      strategy.masked_language = true;
      break;
  }
  return strategy;
}

/// Texts of many lengths, the longest among them, every other one of several documents; and the examples that
/// are made of them, more than one where a text is cut into short sequences.
struct Texts {
  std::vector<int32_t> tokens, offsets{0}, rows, parts;

  Texts(const Shape& s, const SpanStrategy& strategy) {
    for (int32_t row = 0; row < s.texts; row++) {
      int32_t length = std::max(1, (s.longest - 1) - row * 37 % s.longest);
      for (int32_t i = 0; i < length; i++) {
        int32_t id =
            static_cast<int32_t>((int64_t{row} * 7919 + int64_t{i} * 104729) % (kVocabulary - 10)) + 10;
        tokens.push_back(i % 61 == 60 && row % 2 == 1 ? kEos : id);
      }
      offsets.push_back(static_cast<int32_t>(tokens.size()));
      int32_t count = spans::draw_row(strategy, kSeed, static_cast<uint64_t>(kFirstSample + row)).parts;
      for (int32_t part = 0; part < count; part++) {
        rows.push_back(row);
        parts.push_back(part);
      }
    }
  }
};

void build(Side& side, const Shape& s) {
  SpanStrategy strategy = strategy_of(side, s);
  Texts texts(s, strategy);
  int32_t examples = static_cast<int32_t>(texts.rows.size());
  int64_t capacity = int64_t{examples} * strategy.span_capacity;
  // An example has room for every token twice, and a start and an end for each span.
  int32_t room = 2 * s.longest + 2 * strategy.span_capacity;
  std::vector<int32_t> offsets;
  for (int32_t e = 0; e <= examples; e++) offsets.push_back(e * room);

  const int32_t* tokens = side.copy(texts.tokens);
  auto integers = [&](const char* name, int64_t elements) {
    return static_cast<int32_t*>(side.result(name, DType::kInt32, elements));
  };
  // Plans have holes, which nobody writes; what is laid out tells of them.
  auto* plans = side.copy(std::vector<SpanPlan>(static_cast<size_t>(examples)));
  auto* masked = reinterpret_cast<MaskedSpan*>(integers("masked", 3 * capacity));
  int32_t* orders = integers("orders", capacity);
  side.run(PlanSpans{.strategy = strategy,
                     .seed = kSeed,
                     .first_sample = kFirstSample,
                     .examples = examples,
                     .rows = side.copy(texts.rows),
                     .parts = side.copy(texts.parts),
                     .tokens = tokens,
                     .row_offsets = side.copy(texts.offsets),
                     .plans = plans,
                     .masked = masked,
                     .orders = orders});
  int64_t all = int64_t{examples} * room;
  side.run(LayOutSpans{.strategy = strategy,
                       .seed = kSeed,
                       .examples = examples,
                       .tokens = tokens,
                       .plans = plans,
                       .masked = masked,
                       .orders = orders,
                       .offsets = side.copy(offsets),
                       .ids = integers("ids", all),
                       .positions = integers("positions", all),
                       .block_positions = integers("block positions", all),
                       .targets = integers("targets", all),
                       .loss_mask = reinterpret_cast<uint8_t*>(integers("loss mask", (all + 3) / 4))});
}

}  // namespace

std::vector<Case> span_cases() {
  std::vector<Case> cases;
  for (Shape s : {Shape{"blanks", Kind::kBlanks, 33, 130},
                  {"sentences", Kind::kSentences, 33, 130},
                  {"documents", Kind::kDocuments, 33, 130},
                  {"every option", Kind::kMixed, 65, 200},
                  {"sentinels", Kind::kSentinels, 17, 300},
                  {"masked", Kind::kMasked, 17, 100},
                  {"blanks", Kind::kBlanks, 1024, 512}}) {
    double bytes = 23.0 * s.texts * s.longest;
    cases.push_back({"spans",
                     text(s.name, " of ", s.texts, " texts up to ", s.longest),
                     DType::kInt32,
                     s.texts > 100,
                     {bytes, 0, false},
                     [s](Side& side) { build(side, s); },
                     true});
  }
  return cases;
}

}  // namespace glm::check
