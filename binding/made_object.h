#pragma once

// Objects of classes whose constructors JavaScript cannot use: what an object holds is handed over in an
// external.

#include <napi.h>

namespace glm::binding {

template <class Pointer>
Napi::Object make_object(Napi::Env env, const Napi::FunctionReference& constructor, const Pointer& pointer) {
  return constructor.New({Napi::External<Pointer>::New(env, const_cast<Pointer*>(&pointer))});
}

/// What make_object gave to the constructor. Throws, saying who makes such objects, when JavaScript called
/// it.
template <class Pointer>
Pointer pointer_of(const Napi::CallbackInfo& info, const char* made_by) {
  if (!info[0].IsExternal()) throw Napi::TypeError::New(info.Env(), made_by);
  return *info[0].As<Napi::External<Pointer>>().Data();
}

}  // namespace glm::binding
