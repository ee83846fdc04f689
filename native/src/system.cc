// What neither libbpf nor Node offers: waiting for running programs, resolving a path inside a container, our hash.
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include <cerrno>
#include <climits>
#include <cstdint>

#include "addon.h"
#include "hash.h"

namespace alert_throttle {

namespace {

/**
 * synchronizePrograms(): returns when every program run that had begun before has ended. An update of a map of maps
 * makes the kernel wait for that (maybe_wait_bpf_programs in kernel/bpf/syscall.c), on one CPU as well, where
 * membarrier(2) does not wait.
 */
Napi::Value SynchronizePrograms(const Napi::CallbackInfo& info) {
  const UniqueFd inner(bpf_map_create(BPF_MAP_TYPE_ARRAY, "at_barrier", sizeof(uint32_t), sizeof(uint32_t), 1, nullptr));
  if (!inner) return Throw(info.Env(), "create map", errno);
  LIBBPF_OPTS(bpf_map_create_opts, options, .inner_map_fd = static_cast<uint32_t>(inner.get()));
  const UniqueFd outer(bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "at_barriers", sizeof(uint32_t), sizeof(uint32_t), 1, &options));
  if (!outer) return Throw(info.Env(), "create map of maps", errno);
  const uint32_t key = 0;
  const auto value = static_cast<uint32_t>(inner.get());
  if (bpf_map_update_elem(outer.get(), &key, &value, BPF_ANY) != 0) return Throw(info.Env(), "wait for programs", errno);
  return info.Env().Undefined();
}

/**
 * resolveInRoot(pid, path): where `path` leads inside the root of that process, as a path from the root of its mount
 * namespace, which is what the programs see. Undefined where there is nothing.
 */
Napi::Value ResolveInRoot(const Napi::CallbackInfo& info) {
  const auto pid = NumberArgument(info, 0);
  const auto path = pid ? StringArgument(info, 1) : std::nullopt;
  if (!path) return info.Env().Undefined();
  const UniqueFd root(open(("/proc/" + std::to_string(*pid) + "/root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return Throw(info.Env(), "open the root of process " + std::to_string(*pid), errno);
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const UniqueFd found(static_cast<int>(syscall(SYS_openat2, root.get(), path->c_str(), &how, sizeof(how))));
  if (!found) {
    const bool nothing = errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
    return nothing ? info.Env().Undefined() : Throw(info.Env(), "resolve " + *path, errno);
  }
  struct stat status {};
  if (fstat(found.get(), &status) != 0) return Throw(info.Env(), "stat " + *path, errno);
  if (status.st_nlink == 0) return info.Env().Undefined();
  char text[PATH_MAX];
  const ssize_t length = readlink(("/proc/self/fd/" + std::to_string(found.get())).c_str(), text, sizeof(text));
  if (length < 0) return Throw(info.Env(), "read the path of " + *path, errno);
  if (static_cast<size_t>(length) == sizeof(text)) return Throw(info.Env(), "read the path of " + *path, ENAMETOOLONG);
  return Napi::String::New(info.Env(), text, static_cast<size_t>(length));
}

/** realtimeOffsetNs(): CLOCK_REALTIME - CLOCK_BOOTTIME; of several samples the one that took the shortest. */
Napi::Value RealtimeOffsetNs(const Napi::CallbackInfo& info) {
  const auto now = [](clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  };
  int64_t best = INT64_MAX, offset = 0;
  for (int i = 0; i < 5; i++) {
    const int64_t before = now(CLOCK_BOOTTIME);
    const int64_t real = now(CLOCK_REALTIME);
    const int64_t took = now(CLOCK_BOOTTIME) - before;
    if (took >= best) continue;
    best = took;
    offset = real - before - took / 2;
  }
  return Napi::BigInt::New(info.Env(), offset);
}

/** The secret of `settings`: two words. */
std::optional<std::pair<uint64_t, uint64_t>> SecretArgument(const Napi::CallbackInfo& info) {
  if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_biguint64_array ||
      info[0].As<Napi::TypedArray>().ElementLength() != 2) {
    ThrowType(info.Env(), "argument 0 must be a BigUint64Array of 2");
    return std::nullopt;
  }
  const auto words = info[0].As<Napi::BigUint64Array>();
  return std::make_pair(words[0], words[1]);
}

/** hashPath(secret, path): { hash, depth } */
Napi::Value HashPath(const Napi::CallbackInfo& info) {
  const auto words = SecretArgument(info);
  const auto path = words ? StringArgument(info, 1) : std::nullopt;
  if (!path) return info.Env().Undefined();
  const __u64 secret[2] = {words->first, words->second};
  __u32 depth = 0;
  const __u64 hash = at_hash_path(secret, path->c_str(), &depth, nullptr, nullptr);
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("hash", Napi::BigInt::New(info.Env(), static_cast<uint64_t>(hash)));
  result.Set("depth", Napi::Number::New(info.Env(), depth));
  return result;
}

/** hashName(secret, text): of one component. */
Napi::Value HashName(const Napi::CallbackInfo& info) {
  const auto words = SecretArgument(info);
  const auto text = words ? StringArgument(info, 1) : std::nullopt;
  if (!text) return info.Env().Undefined();
  const __u64 secret[2] = {words->first, words->second};
  const __u64 hash = at_hash_name(secret, text->data(), static_cast<__u32>(text->size()));
  return Napi::BigInt::New(info.Env(), static_cast<uint64_t>(hash));
}

/** lockFolder(path): the lock, which goes with its handle or its process; EWOULDBLOCK where another process has it. */
Napi::Value LockFolder(const Napi::CallbackInfo& info) {
  const auto path = StringArgument(info, 0);
  if (!path) return info.Env().Undefined();
  UniqueFd folder(open(path->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return Throw(info.Env(), "open " + *path, errno);
  if (flock(folder.get(), LOCK_EX | LOCK_NB) != 0) return Throw(info.Env(), "lock " + *path, errno);
  return Handle::Make(info.Env(), std::move(folder));
}

}  // namespace

void DefineSystem(Napi::Env env, Napi::Object exports) {
  exports.Set("synchronizePrograms", Napi::Function::New<SynchronizePrograms>(env));
  exports.Set("hashPath", Napi::Function::New<HashPath>(env));
  exports.Set("hashName", Napi::Function::New<HashName>(env));
  exports.Set("realtimeOffsetNs", Napi::Function::New<RealtimeOffsetNs>(env));
  exports.Set("lockFolder", Napi::Function::New<LockFolder>(env));
  exports.Set("resolveInRoot", Napi::Function::New<ResolveInRoot>(env));
}

}  // namespace alert_throttle
