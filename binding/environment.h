#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <new>

#include "base/error.h"
#include "runtime/stream.h"

namespace glm::binding {

/// What one Node environment (the main thread, or a worker) has to itself: the stream that computes, a second
/// one for work beside it (batches, files), the way back to JavaScript, and the classes. It ends cleanly with
/// work in flight: the streams are joined before the environment goes, and promises that are open then stay
/// open.
class Environment {
 public:
  static void create(Napi::Env env);
  static Environment& of(Napi::Env env);

  const std::shared_ptr<Stream>& compute() const { return compute_; }
  /// Waits for what devices send to the host.
  const std::shared_ptr<Stream>& arrivals();
  /// For work that should not wait behind a training step.
  const std::shared_ptr<Stream>& background();

  /// Settles a promise from another thread: `resolve` or a rejection is run on the JavaScript thread.
  class Settler {
   public:
    using Resolve = std::function<Napi::Value(Napi::Env)>;

    Settler(Environment& environment, Napi::Env env, Resolve resolve);
    Napi::Promise promise() const { return promise_; }
    /// Any thread, once. Rejects if `error` is set.
    void settle(const Error* error);

   private:
    friend class Environment;
    struct Completion;
    Environment& environment_;
    Napi::Promise promise_;
    Completion* completion_;
  };

  /// The error as JavaScript sees it: a GlmError once the TypeScript layer has given its class.
  Napi::Error to_javascript(Napi::Env env, const Error& error) const;
  void set_error_class(Napi::Function error_class) { error_class_ = Napi::Persistent(error_class); }

  Napi::FunctionReference tensor_class, batch_class, cache_class, cache_step_class, recorded_step_class;

 private:
  explicit Environment(Napi::Env env);
  void shut_down();
  static void call_javascript(napi_env env, napi_value, void* context, void* data);

  std::shared_ptr<Stream> compute_, arrivals_, background_;
  napi_threadsafe_function to_javascript_ = nullptr;
  int pending_ = 0;  // open promises; they keep the process alive
  Napi::FunctionReference error_class_;
};

/// Runs the body of a callback, with the library's errors turned into JavaScript's.
template <class Body>
Napi::Value guarded(const Napi::CallbackInfo& info, const Body& body) {
  try {
    return body();
  } catch (const Error& error) {
    throw Environment::of(info.Env()).to_javascript(info.Env(), error);
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw Environment::of(info.Env())
        .to_javascript(info.Env(),
                       Error(Code::kOutOfMemory, "expected free memory, found none; use smaller arrays"));
  } catch (const std::exception& error) {
    throw Environment::of(info.Env()).to_javascript(info.Env(), Error(Code::kInvalidArgument, error.what()));
  }
}

}  // namespace glm::binding
