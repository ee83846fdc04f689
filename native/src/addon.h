// What the files of the addon share: one set of per-environment data, owned file descriptors, and how errors become
// JavaScript errors. The addon checks arguments, calls the kernel or libbpf, and reports errno; it decides nothing.
#ifndef ALERT_THROTTLE_ADDON_H
#define ALERT_THROTTLE_ADDON_H

#include <unistd.h>

#include <napi.h>

#include <optional>
#include <string>
#include <utility>

namespace alert_throttle {

/** A file descriptor with one owner. */
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

/** A map, a program or a link, as JavaScript holds it: closed by close(), or with the object, or with the environment. */
class Handle : public Napi::ObjectWrap<Handle> {
 public:
  static Napi::Function Define(Napi::Env env);
  /** Takes the descriptor over. */
  static Napi::Value Make(Napi::Env env, UniqueFd fd);
  explicit Handle(const Napi::CallbackInfo& info);

 private:
  friend std::optional<int> FdOf(Napi::Env, const Napi::Value&);
  Napi::Value Close(const Napi::CallbackInfo& info);
  Napi::Value Closed(const Napi::CallbackInfo& info);

  UniqueFd fd_;
};

struct Data {
  Napi::FunctionReference handle;
  /** Passed only by Make, so that nobody makes a handle out of a number. */
  UniqueFd made;
};

/** The descriptor of a handle; with a TypeError pending, none. */
std::optional<int> FdOf(Napi::Env env, const Napi::Value& value);
std::optional<int> FdArgument(const Napi::CallbackInfo& info, size_t index);

/** Texts, bytes and numbers of arguments; with a TypeError pending, none. */
std::optional<std::string> StringArgument(const Napi::CallbackInfo& info, size_t index);
std::optional<Napi::Buffer<uint8_t>> BufferArgument(const Napi::CallbackInfo& info, size_t index, size_t size);
std::optional<uint32_t> NumberArgument(const Napi::CallbackInfo& info, size_t index);

/** An Error with `code` (EPERM), `errno` (positive), `step` (what was tried) and `log` (what libbpf said). */
Napi::Value Throw(Napi::Env env, const std::string& step, int error, const std::string& log = {});
Napi::Value ThrowType(Napi::Env env, const std::string& message);

/** While one lives, what libbpf prints on this thread goes into it, and nowhere otherwise. */
class LibbpfLog {
 public:
  LibbpfLog();
  ~LibbpfLog();
  LibbpfLog(const LibbpfLog&) = delete;
  LibbpfLog& operator=(const LibbpfLog&) = delete;
  std::string text() const { return text_; }
  void append(const char* text, size_t length);

 private:
  std::string text_;
};

void DefineObjectFile(Napi::Env env, Napi::Object exports);
void DefineMaps(Napi::Env env, Napi::Object exports);
void DefinePrograms(Napi::Env env, Napi::Object exports);
void DefineRingReader(Napi::Env env, Napi::Object exports);
void DefineSystem(Napi::Env env, Napi::Object exports);

}  // namespace alert_throttle

#endif
