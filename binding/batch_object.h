#pragma once

#include <napi.h>

#include "ops/ops.h"

namespace glm::binding {

/// NativeBatch of ts/native.ts: a checked batch on a device.
class BatchObject : public Napi::ObjectWrap<BatchObject> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  static Napi::Value create(Napi::Env env, const PackedBatchPtr& batch);
  static PackedBatchPtr batch_of(const Napi::Value& value);

  explicit BatchObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value has_prompts(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  PackedBatchPtr batch_;
};

/// The arrays of a JavaScript batch `{ ids, positions, blockPositions, offsets, contextLengths, rows,
/// targets? }`.
HostBatch to_host_batch(const Napi::Value& value);

}  // namespace glm::binding
