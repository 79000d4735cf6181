#pragma once

#include <exception>
#include <sstream>
#include <string>
#include <utility>

namespace glm {

/// The native half of the public error codes; `code_name` gives the public spelling.
enum class Code {
  kInvalidArgument,
  kContextLength,
  kDisposed,
  kCorruptFile,
  kData,
  kIo,
  kNumeric,
  kOutOfMemory,
  kCudaUnavailable,
  kCuda,
};

const char* code_name(Code code);

/// The one exception this library throws. It becomes a `GlmError` in JavaScript.
class Error : public std::exception {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}
  Code code() const { return code_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  Code code_;
  std::string message_;
};

/// Joins its arguments into one string: text("rows ", 3) == "rows 3".
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

template <class... Parts>
[[noreturn]] void fail(Code code, const Parts&... parts) {
  throw Error(code, text(parts...));
}

/// Throws when `condition` does not hold. The message says what was expected, what was found, what to do.
template <class... Parts>
void require(bool condition, Code code, const Parts&... parts) {
  if (!condition) fail(code, parts...);
}

}  // namespace glm
