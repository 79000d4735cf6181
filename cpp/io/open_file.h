#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace glm {

/// A file that is open for reading: its own handle on one that the caller has open, so that it lasts as long
/// as the work that was enqueued with it.
class OpenFile {
 public:
  /// Throws kIo.
  explicit OpenFile(int descriptor);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  /// Throws kIo, and kCorruptFile where the file ends before.
  void read(int64_t begin, void* out, size_t bytes) const;

  /// Bytes of the file, in place: pages come from the file when they are first read, and become the process's
  /// own when they are first written; the file never changes. The file must not be made shorter meanwhile
  /// (renaming another into its place is fine). Null where the system cannot. Throws kCorruptFile where the
  /// file is shorter.
  std::shared_ptr<void> map(int64_t begin, size_t bytes) const;

 private:
  int descriptor_;
};

}  // namespace glm
