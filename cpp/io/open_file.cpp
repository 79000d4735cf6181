#include "io/open_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace glm {

OpenFile::OpenFile(int descriptor) : descriptor_(fcntl(descriptor, F_DUPFD_CLOEXEC, 0)) {
  require(descriptor_ >= 0, Code::kIo, "expected an open file, found descriptor ", descriptor, ": ",
          std::strerror(errno));
}

OpenFile::~OpenFile() { close(descriptor_); }

void OpenFile::read(int64_t begin, void* out, size_t bytes) const {
  constexpr size_t kMost = size_t{1} << 30;  // what one call reads is limited
  for (size_t done = 0; done < bytes;) {
    ssize_t count = pread(descriptor_, static_cast<char*>(out) + done, std::min(bytes - done, kMost),
                          begin + static_cast<int64_t>(done));
    if (count < 0 && errno == EINTR) continue;
    require(count >= 0, Code::kIo, "cannot read a file: ", std::strerror(errno));
    require(count > 0, Code::kCorruptFile, "expected ", bytes, " bytes at ", begin,
            ", found the end of the file after ", done, "; get the file again from where it came from");
    done += static_cast<size_t>(count);
  }
}

std::shared_ptr<void> OpenFile::map(int64_t begin, size_t bytes) const {
  struct stat status;
  require(fstat(descriptor_, &status) == 0, Code::kIo, "cannot look at a file: ", std::strerror(errno));
  require(begin >= 0 && begin + static_cast<int64_t>(bytes) <= status.st_size, Code::kCorruptFile,
          "expected ", bytes, " bytes at ", begin, ", found a file of ", status.st_size,
          " bytes; get the file again from where it came from");
  // A mapping begins at a page.
  size_t before = static_cast<size_t>(begin % sysconf(_SC_PAGESIZE));
  size_t length = before + bytes;
  void* pages = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor_,
                     begin - static_cast<int64_t>(before));
  if (pages == MAP_FAILED) return nullptr;
  std::shared_ptr<void> owner(pages, [length](void* address) { munmap(address, length); });
  return std::shared_ptr<void>(owner, static_cast<char*>(pages) + before);
}

}  // namespace glm
