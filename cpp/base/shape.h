#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace glm {

/// Up to four dimensions, row-major, outermost first.
class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) {
    for (int64_t d : dims) dims_[static_cast<size_t>(rank_++)] = d;
  }

  int rank() const { return rank_; }
  int64_t operator[](int i) const { return dims_[static_cast<size_t>(i)]; }
  /// The innermost dimension.
  int64_t last() const { return rank_ == 0 ? 1 : dims_[static_cast<size_t>(rank_ - 1)]; }
  void push(int64_t dim) { dims_[static_cast<size_t>(rank_++)] = dim; }

  int64_t elements() const {
    int64_t n = 1;
    for (int i = 0; i < rank_; i++) n *= (*this)[i];
    return n;
  }
  /// All dimensions but the innermost, multiplied.
  int64_t rows() const { return last() == 0 ? 0 : elements() / last(); }

  bool operator==(const Shape& other) const { return rank_ == other.rank_ && dims_ == other.dims_; }

  /// "[2, 768]"
  std::string str() const {
    std::string out = "[";
    for (int i = 0; i < rank_; i++) out += (i ? ", " : "") + std::to_string((*this)[i]);
    return out + "]";
  }

 private:
  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

}  // namespace glm
