#pragma once

#include <string>

namespace glm {

/// The folder of the file that this code was loaded from, with a slash at its end; empty where that is not
/// known.
std::string own_folder();

/// Opens a shared library, which then stays open. Returns null, with the reason in `error`, when it cannot
/// be.
void* open_library(const std::string& path, std::string& error);

/// What the library exports under this name, or null.
void* symbol_of(void* library, const char* name);

}  // namespace glm
