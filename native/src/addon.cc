// The module itself, handles, arguments and errors.
#include "addon.h"

#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <vector>

#include "layout.h"

namespace alert_throttle {

namespace {

/** Marks objects of this addon, so that a call on a foreign object is a TypeError and not a wild read. */
constexpr napi_type_tag kHandleTag = {0x6b1f0c5e2a9d4e37, 0x9f52d3a86c1b7e04};

/** The verifier's last words matter; its whole log of a large program would be tens of megabytes. */
constexpr size_t kLogBytes = 64 * 1024;

thread_local LibbpfLog* current_log = nullptr;

int Print(libbpf_print_level level, const char* format, va_list arguments) {
  if (current_log == nullptr || level == LIBBPF_DEBUG) return 0;
  va_list again;
  va_copy(again, arguments);
  const int length = std::vsnprintf(nullptr, 0, format, arguments);
  if (length > 0) {
    std::vector<char> line(static_cast<size_t>(length) + 1);
    std::vsnprintf(line.data(), line.size(), format, again);
    current_log->append(line.data(), static_cast<size_t>(length));
  }
  va_end(again);
  return 0;
}

}  // namespace

LibbpfLog::LibbpfLog() { current_log = this; }
LibbpfLog::~LibbpfLog() { current_log = nullptr; }

void LibbpfLog::append(const char* text, size_t length) {
  text_.append(text, length);
  if (text_.size() > kLogBytes) text_.erase(0, text_.size() - kLogBytes);
}

Napi::Value Throw(Napi::Env env, const std::string& step, int error, const std::string& log) {
  const int number = error < 0 ? -error : error;
  const char* name = strerrorname_np(number);
  // libbpf has numbers of its own, from 4000 on, which libc does not know.
  char text[128];
  libbpf_strerror(number, text, sizeof(text));
  const std::string code = name == nullptr ? "LIBBPF_" + std::to_string(number) : name;
  Napi::Error made = Napi::Error::New(env, step + ": " + text + " (" + code + ")");
  made.Set("code", code);
  made.Set("errno", Napi::Number::New(env, number));
  made.Set("step", step);
  made.Set("log", log);
  made.ThrowAsJavaScriptException();
  return env.Undefined();
}

Napi::Value ThrowType(Napi::Env env, const std::string& message) {
  Napi::TypeError::New(env, message).ThrowAsJavaScriptException();
  return env.Undefined();
}

std::optional<int> FdOf(Napi::Env env, const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kHandleTag)) {
    ThrowType(env, "not a handle of this addon");
    return std::nullopt;
  }
  const int fd = Handle::Unwrap(value.As<Napi::Object>())->fd_.get();
  if (fd < 0) {
    ThrowType(env, "the handle is closed");
    return std::nullopt;
  }
  return fd;
}

std::optional<int> FdArgument(const Napi::CallbackInfo& info, size_t index) { return FdOf(info.Env(), info[index]); }

std::optional<std::string> StringArgument(const Napi::CallbackInfo& info, size_t index) {
  if (!info[index].IsString()) {
    ThrowType(info.Env(), "argument " + std::to_string(index) + " must be a string");
    return std::nullopt;
  }
  std::string text = info[index].As<Napi::String>().Utf8Value();
  if (text.find('\0') != std::string::npos) {
    ThrowType(info.Env(), "argument " + std::to_string(index) + " must not contain a zero byte");
    return std::nullopt;
  }
  return text;
}

std::optional<Napi::Buffer<uint8_t>> BufferArgument(const Napi::CallbackInfo& info, size_t index, size_t size) {
  if (!info[index].IsBuffer() || info[index].As<Napi::Buffer<uint8_t>>().Length() != size) {
    ThrowType(info.Env(), "argument " + std::to_string(index) + " must be a buffer of " + std::to_string(size) + " bytes");
    return std::nullopt;
  }
  return info[index].As<Napi::Buffer<uint8_t>>();
}

std::optional<uint32_t> NumberArgument(const Napi::CallbackInfo& info, size_t index) {
  const double value = info[index].IsNumber() ? info[index].As<Napi::Number>().DoubleValue() : -1;
  if (!(value >= 0 && value <= UINT32_MAX) || value != static_cast<double>(static_cast<uint32_t>(value))) {
    ThrowType(info.Env(), "argument " + std::to_string(index) + " must be a whole number of 32 bits");
    return std::nullopt;
  }
  return static_cast<uint32_t>(value);
}

Napi::Function Handle::Define(Napi::Env env) {
  return DefineClass(env, "Handle",
                     {InstanceMethod<&Handle::Close>("close"), InstanceAccessor<&Handle::Closed>("closed")});
}

Napi::Value Handle::Make(Napi::Env env, UniqueFd fd) {
  Data* data = env.GetInstanceData<Data>();
  data->made = std::move(fd);
  return data->handle.New({});
}

Handle::Handle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Handle>(info) {
  fd_ = std::move(info.Env().GetInstanceData<Data>()->made);
  info.This().As<Napi::Object>().TypeTag(&kHandleTag);
}

Napi::Value Handle::Close(const Napi::CallbackInfo& info) {
  fd_.reset();
  return info.Env().Undefined();
}

Napi::Value Handle::Closed(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), !fd_); }

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  libbpf_set_print(Print);
  libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
  auto* data = new Data();
  data->handle = Napi::Persistent(Handle::Define(env));
  env.SetInstanceData(data);
  exports.Set("layoutVersion", Napi::Number::New(env, AT_LAYOUT_VERSION));
  exports.Set("libbpfVersion", Napi::String::New(env, libbpf_version_string()));
  DefineObjectFile(env, exports);
  DefineMaps(env, exports);
  DefinePrograms(env, exports);
  DefineRingReader(env, exports);
  DefineSystem(env, exports);
  return exports;
}

}  // namespace

}  // namespace alert_throttle

using alert_throttle::Init;
NODE_API_MODULE(alert_throttle, Init)
