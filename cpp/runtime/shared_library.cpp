#include "runtime/shared_library.h"

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#endif

namespace glm {

#if defined(__unix__) || defined(__APPLE__)

std::string own_folder() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&own_folder), &info) == 0 || info.dli_fname == nullptr) return "";
  std::string file = info.dli_fname;
  return file.substr(0, file.rfind('/') + 1);
}

void* open_library(const std::string& path, std::string& error) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) error = dlerror();
  return library;
}

void* symbol_of(void* library, const char* name) { return dlsym(library, name); }

#else

std::string own_folder() { return ""; }

void* open_library(const std::string&, std::string& error) {
  error = "this system has no CUDA backend";
  return nullptr;
}

void* symbol_of(void*, const char*) { return nullptr; }

#endif

}  // namespace glm
