#pragma once

#include <napi.h>

#include "io/file_array.h"

namespace glm::binding {

/// NativeFileArray and NativeJoinedArrays of ts/native.ts, checked.
FileArray to_file_array(const Napi::Value& value);
JoinedArrays to_joined_arrays(const Napi::Value& value);

/// readArrays(arrays, dtype): a promise of the elements' bytes, read beside the stream that computes.
Napi::Value read_file_arrays(const Napi::CallbackInfo& info);

}  // namespace glm::binding
