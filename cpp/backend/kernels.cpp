#include "backend/kernels.h"

#include "backend/backend.h"

namespace glm {

// Out of line, so that the tables of virtual functions exist once.
Kernels::~Kernels() = default;
Backend::~Backend() = default;
Download::~Download() = default;

}  // namespace glm
