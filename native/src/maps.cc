// Maps by descriptor: single elements, whole contents in batches, pins.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "addon.h"

namespace alert_throttle {

namespace {

/** Elements per call of a batch lookup to begin with; doubled where one bucket of a hash holds more. */
constexpr uint32_t kBatch = 512;

std::optional<bpf_map_info> MapInfo(Napi::Env env, int fd) {
  bpf_map_info found{};
  uint32_t size = sizeof(found);
  if (bpf_obj_get_info_by_fd(fd, &found, &size) == 0) return found;
  Throw(env, "map info", errno);
  return std::nullopt;
}

/** Bytes of a value as user space exchanges it: one for each possible CPU, each rounded up to 8, in per-CPU maps. */
size_t ValueBytes(const bpf_map_info& info) {
  switch (info.type) {
    case BPF_MAP_TYPE_PERCPU_ARRAY:
    case BPF_MAP_TYPE_PERCPU_HASH:
    case BPF_MAP_TYPE_LRU_PERCPU_HASH:
      return (static_cast<size_t>(info.value_size) + 7) / 8 * 8 * static_cast<size_t>(libbpf_num_possible_cpus());
    default:
      return info.value_size;
  }
}

Napi::Value Info(const Napi::CallbackInfo& info) {
  const auto fd = FdArgument(info, 0);
  const auto found = fd ? MapInfo(info.Env(), *fd) : std::nullopt;
  if (!found) return info.Env().Undefined();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("id", found->id);
  result.Set("type", found->type);
  result.Set("name", found->name);
  result.Set("keySize", found->key_size);
  result.Set("valueSize", found->value_size);
  result.Set("valueBytes", static_cast<double>(ValueBytes(*found)));
  result.Set("maxEntries", found->max_entries);
  result.Set("flags", found->map_flags);
  return result;
}

/** lookup(map, key, flags): the value, or undefined. */
Napi::Value Lookup(const Napi::CallbackInfo& info) {
  const auto fd = FdArgument(info, 0);
  const auto found = fd ? MapInfo(info.Env(), *fd) : std::nullopt;
  const auto key = found ? BufferArgument(info, 1, found->key_size) : std::nullopt;
  const auto flags = key ? NumberArgument(info, 2) : std::nullopt;
  if (!flags) return info.Env().Undefined();
  auto value = Napi::Buffer<uint8_t>::New(info.Env(), ValueBytes(*found));
  if (bpf_map_lookup_elem_flags(*fd, key->Data(), value.Data(), *flags) == 0) return value;
  return errno == ENOENT ? info.Env().Undefined() : Throw(info.Env(), "look up", errno);
}

/** update(map, key, value, flags) */
Napi::Value Update(const Napi::CallbackInfo& info) {
  const auto fd = FdArgument(info, 0);
  const auto found = fd ? MapInfo(info.Env(), *fd) : std::nullopt;
  const auto key = found ? BufferArgument(info, 1, found->key_size) : std::nullopt;
  const auto value = key ? BufferArgument(info, 2, ValueBytes(*found)) : std::nullopt;
  const auto flags = value ? NumberArgument(info, 3) : std::nullopt;
  if (!flags) return info.Env().Undefined();
  if (bpf_map_update_elem(*fd, key->Data(), value->Data(), *flags) == 0) return info.Env().Undefined();
  return Throw(info.Env(), "update", errno);
}

/** remove(map, key): whether it was there. */
Napi::Value Remove(const Napi::CallbackInfo& info) {
  const auto fd = FdArgument(info, 0);
  const auto found = fd ? MapInfo(info.Env(), *fd) : std::nullopt;
  const auto key = found ? BufferArgument(info, 1, found->key_size) : std::nullopt;
  if (!key) return info.Env().Undefined();
  if (bpf_map_delete_elem(*fd, key->Data()) == 0) return Napi::Boolean::New(info.Env(), true);
  return errno == ENOENT ? Napi::Boolean::New(info.Env(), false) : Throw(info.Env(), "delete", errno);
}

/** updateAll(map, keys, values): keys and values one after the other; the number written (all, or it throws). */
Napi::Value UpdateAll(const Napi::CallbackInfo& info) {
  const auto fd = FdArgument(info, 0);
  const auto found = fd ? MapInfo(info.Env(), *fd) : std::nullopt;
  if (!found) return info.Env().Undefined();
  if (!info[1].IsBuffer()) return ThrowType(info.Env(), "argument 1 must be a buffer");
  auto keys = info[1].As<Napi::Buffer<uint8_t>>();
  uint32_t count = static_cast<uint32_t>(keys.Length() / found->key_size);
  if (keys.Length() != static_cast<size_t>(count) * found->key_size) return ThrowType(info.Env(), "half a key");
  const auto values = BufferArgument(info, 2, static_cast<size_t>(count) * ValueBytes(*found));
  if (!values || count == 0) return info.Env().Undefined();
  if (bpf_map_update_batch(*fd, keys.Data(), values->Data(), &count, nullptr) == 0) return info.Env().Undefined();
  return Throw(info.Env(), "update all", errno);
}

/** removeAll(map, keys): what is not there is left out. */
Napi::Value RemoveAll(const Napi::CallbackInfo& info) {
  const auto fd = FdArgument(info, 0);
  const auto found = fd ? MapInfo(info.Env(), *fd) : std::nullopt;
  if (!found) return info.Env().Undefined();
  if (!info[1].IsBuffer()) return ThrowType(info.Env(), "argument 1 must be a buffer");
  auto keys = info[1].As<Napi::Buffer<uint8_t>>();
  // A batch delete stops at the first key that is missing, and does not say which: one by one is as good here.
  for (size_t at = 0; at + found->key_size <= keys.Length(); at += found->key_size) {
    if (bpf_map_delete_elem(*fd, keys.Data() + at) != 0 && errno != ENOENT) return Throw(info.Env(), "delete", errno);
  }
  return info.Env().Undefined();
}

/** entries(map, flags): { keys, values, count }, each one after the other. */
Napi::Value Entries(const Napi::CallbackInfo& info) {
  const auto fd = FdArgument(info, 0);
  const auto found = fd ? MapInfo(info.Env(), *fd) : std::nullopt;
  const auto flags = found ? NumberArgument(info, 1) : std::nullopt;
  if (!flags) return info.Env().Undefined();
  const size_t key_bytes = found->key_size, value_bytes = ValueBytes(*found);
  std::vector<uint8_t> keys, values, position(std::max<size_t>(key_bytes, sizeof(uint32_t))), next(position.size());
  size_t total = 0;
  uint32_t wanted = std::min(kBatch, std::max(1u, found->max_entries));
  LIBBPF_OPTS(bpf_map_batch_opts, options, .elem_flags = *flags);
  for (bool first = true, last = false; !last;) {
    uint32_t count = wanted;
    keys.resize((total + count) * key_bytes);
    values.resize((total + count) * value_bytes);
    const int error = bpf_map_lookup_batch(*fd, first ? nullptr : position.data(), next.data(),
                                           keys.data() + total * key_bytes, values.data() + total * value_bytes, &count, &options);
    if (error != 0 && errno == ENOSPC && wanted < found->max_entries) {
      wanted *= 2;
      continue;
    }
    last = error != 0 && errno == ENOENT;
    if (error != 0 && !last) return Throw(info.Env(), "read all", errno);
    total += count;
    position.swap(next);
    first = false;
  }
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("keys", Napi::Buffer<uint8_t>::Copy(info.Env(), keys.data(), total * key_bytes));
  result.Set("values", Napi::Buffer<uint8_t>::Copy(info.Env(), values.data(), total * value_bytes));
  result.Set("count", static_cast<double>(total));
  return result;
}

/** The memory of an array that is made for mmap, for as long as this lives. */
class Mapped {
 public:
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  ~Mapped() {
    if (memory_ != MAP_FAILED) munmap(memory_, size_);
  }

  /** `bytes` at argument 1, aligned to `unit`; with an error pending, null. */
  static void* At(const Napi::CallbackInfo& info, size_t bytes, size_t unit, std::optional<Mapped>& mapped) {
    const auto fd = FdArgument(info, 0);
    const auto found = fd ? MapInfo(info.Env(), *fd) : std::nullopt;
    const auto offset = found ? NumberArgument(info, 1) : std::nullopt;
    if (!offset) return nullptr;
    const size_t stride = (static_cast<size_t>(found->value_size) + 7) / 8 * 8;
    if (*offset % unit != 0 || *offset + bytes > stride * found->max_entries) {
      ThrowType(info.Env(), "that does not lie in the array");
      return nullptr;
    }
    mapped.emplace(*fd, stride * found->max_entries);
    if (mapped->memory_ == MAP_FAILED) {
      Throw(info.Env(), "map an array", errno);
      return nullptr;
    }
    return static_cast<uint8_t*>(mapped->memory_) + *offset;
  }

  Mapped(int fd, size_t size) : memory_(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)), size_(size) {}

 private:
  void* memory_;
  size_t size_;
};

/** storeWords(array, offset, words): each in one access, the first one last: who reads it sees the others. */
Napi::Value StoreWords(const Napi::CallbackInfo& info) {
  if (!info[2].IsTypedArray() || info[2].As<Napi::TypedArray>().TypedArrayType() != napi_biguint64_array) {
    return ThrowType(info.Env(), "argument 2 must be a BigUint64Array");
  }
  const auto words = info[2].As<Napi::BigUint64Array>();
  const size_t count = words.ElementLength();
  std::optional<Mapped> mapped;
  auto* target = static_cast<uint64_t*>(Mapped::At(info, count * sizeof(uint64_t), sizeof(uint64_t), mapped));
  if (target == nullptr) return info.Env().Undefined();
  for (size_t i = count; i-- > 0;) __atomic_store_n(target + i, words[i], __ATOMIC_RELEASE);
  return info.Env().Undefined();
}

/** storeU32(array, offset, value): in one access. */
Napi::Value StoreU32(const Napi::CallbackInfo& info) {
  const auto value = NumberArgument(info, 2);
  std::optional<Mapped> mapped;
  auto* target = value ? static_cast<uint32_t*>(Mapped::At(info, sizeof(uint32_t), sizeof(uint32_t), mapped)) : nullptr;
  if (target != nullptr) __atomic_store_n(target, *value, __ATOMIC_RELEASE);
  return info.Env().Undefined();
}

/** changeBits(array, offset, clear, set): of a u32 in which programs change other bits at the same time. */
Napi::Value ChangeBits(const Napi::CallbackInfo& info) {
  const auto clear = NumberArgument(info, 2);
  const auto set = clear ? NumberArgument(info, 3) : std::nullopt;
  std::optional<Mapped> mapped;
  auto* target = set ? static_cast<uint32_t*>(Mapped::At(info, sizeof(uint32_t), sizeof(uint32_t), mapped)) : nullptr;
  if (target == nullptr) return info.Env().Undefined();
  __atomic_fetch_and(target, ~*clear, __ATOMIC_ACQ_REL);
  __atomic_fetch_or(target, *set, __ATOMIC_ACQ_REL);
  return info.Env().Undefined();
}

/** pin(handle, path) */
Napi::Value Pin(const Napi::CallbackInfo& info) {
  const auto fd = FdArgument(info, 0);
  const auto path = fd ? StringArgument(info, 1) : std::nullopt;
  if (!path) return info.Env().Undefined();
  return bpf_obj_pin(*fd, path->c_str()) == 0 ? info.Env().Undefined() : Throw(info.Env(), "pin " + *path, errno);
}

/** openPinned(path): a map, program or link. */
Napi::Value OpenPinned(const Napi::CallbackInfo& info) {
  const auto path = StringArgument(info, 0);
  if (!path) return info.Env().Undefined();
  UniqueFd fd(bpf_obj_get(path->c_str()));
  return fd ? Handle::Make(info.Env(), std::move(fd)) : Throw(info.Env(), "open " + *path, errno);
}

}  // namespace

void DefineMaps(Napi::Env env, Napi::Object exports) {
  exports.Set("mapInfo", Napi::Function::New<Info>(env));
  exports.Set("lookup", Napi::Function::New<Lookup>(env));
  exports.Set("update", Napi::Function::New<Update>(env));
  exports.Set("remove", Napi::Function::New<Remove>(env));
  exports.Set("updateAll", Napi::Function::New<UpdateAll>(env));
  exports.Set("removeAll", Napi::Function::New<RemoveAll>(env));
  exports.Set("entries", Napi::Function::New<Entries>(env));
  exports.Set("storeWords", Napi::Function::New<StoreWords>(env));
  exports.Set("storeU32", Napi::Function::New<StoreU32>(env));
  exports.Set("changeBits", Napi::Function::New<ChangeBits>(env));
  exports.Set("pin", Napi::Function::New<Pin>(env));
  exports.Set("openPinned", Napi::Function::New<OpenPinned>(env));
}

}  // namespace alert_throttle
