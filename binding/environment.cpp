#include "environment.h"

namespace glm::binding {

struct Environment::Settler::Completion {
  napi_deferred deferred;
  Resolve resolve;
  std::unique_ptr<Error> error;
};

void Environment::create(Napi::Env env) {
  auto* environment = new Environment(env);
  env.SetInstanceData(environment);  // deleted with the environment
  env.AddCleanupHook([](Environment* e) { e->shut_down(); }, environment);
}

Environment& Environment::of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

Environment::Environment(Napi::Env env) : compute_(std::make_shared<Stream>()) {
  // The C API: Napi::TypedThreadSafeFunction does not compile with g++ 12 and -fsanitize=undefined.
  napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "glm-native"), 0, 1, nullptr,
                                  nullptr, this, call_javascript, &to_javascript_);
  napi_unref_threadsafe_function(env, to_javascript_);  // an idle stream does not keep the process alive
}

void Environment::shut_down() {
  compute_->stop();
  if (arrivals_) arrivals_->stop();
  if (background_) background_->stop();
  napi_release_threadsafe_function(to_javascript_, napi_tsfn_release);
}

const std::shared_ptr<Stream>& Environment::arrivals() {
  if (!arrivals_) arrivals_ = std::make_shared<Stream>();
  return arrivals_;
}

const std::shared_ptr<Stream>& Environment::background() {
  if (!background_) background_ = std::make_shared<Stream>();
  return background_;
}

Environment::Settler::Settler(Environment& environment, Napi::Env env, Resolve resolve)
    : environment_(environment), completion_(new Completion{nullptr, std::move(resolve), nullptr}) {
  napi_value promise;
  napi_create_promise(env, &completion_->deferred, &promise);
  promise_ = Napi::Promise(env, promise);
  if (environment_.pending_++ == 0) napi_ref_threadsafe_function(env, environment_.to_javascript_);
}

void Environment::Settler::settle(const Error* error) {
  if (error != nullptr) completion_->error = std::make_unique<Error>(*error);
  napi_call_threadsafe_function(environment_.to_javascript_, completion_, napi_tsfn_nonblocking);
}

void Environment::call_javascript(napi_env raw, napi_value, void* context, void* data) {
  auto* completion = static_cast<Settler::Completion*>(data);
  if (raw == nullptr) return;  // the environment is going; what the completion refers to goes with it
  auto& environment = *static_cast<Environment*>(context);
  Napi::Env env(raw);
  Napi::HandleScope scope(env);
  std::unique_ptr<Settler::Completion> owned(completion);
  try {
    if (owned->error) {
      napi_reject_deferred(env, owned->deferred, environment.to_javascript(env, *owned->error).Value());
    } else {
      napi_resolve_deferred(env, owned->deferred, owned->resolve(env));
    }
  } catch (const Napi::Error& error) {
    // Making the result has failed: no memory, or a worker that is being terminated and takes no more values.
    if (!env.IsExceptionPending()) napi_reject_deferred(env, owned->deferred, error.Value());
  }
  if (--environment.pending_ == 0) napi_unref_threadsafe_function(env, environment.to_javascript_);
}

Napi::Error Environment::to_javascript(Napi::Env env, const Error& error) const {
  if (error_class_.IsEmpty()) return Napi::Error::New(env, error.what());
  Napi::Object value = error_class_.New(
      {Napi::String::New(env, code_name(error.code())), Napi::String::New(env, error.what())});
  return Napi::Error(env, value);
}

}  // namespace glm::binding
