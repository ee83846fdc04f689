// Programs and links by descriptor: what the kernel says of them, and running an iterator.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "addon.h"

namespace alert_throttle {

namespace {

/** An iterator that prints more than this is broken; ours print nothing or a few lines. */
constexpr size_t kIteratorBytes = 16 * 1024 * 1024;

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};

Napi::Value ProgramInfo(const Napi::CallbackInfo& info) {
  const auto fd = FdArgument(info, 0);
  if (!fd) return info.Env().Undefined();
  bpf_prog_info found{};
  uint32_t size = sizeof(found);
  if (bpf_obj_get_info_by_fd(*fd, &found, &size) != 0) return Throw(info.Env(), "program info", errno);
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("id", found.id);
  result.Set("name", found.name);
  result.Set("instructions", found.verified_insns);
  result.Set("recursionMisses", Napi::BigInt::New(info.Env(), static_cast<uint64_t>(found.recursion_misses)));
  result.Set("runCount", Napi::BigInt::New(info.Env(), static_cast<uint64_t>(found.run_cnt)));
  result.Set("runTimeNs", Napi::BigInt::New(info.Env(), static_cast<uint64_t>(found.run_time_ns)));
  return result;
}

Napi::Value LinkInfo(const Napi::CallbackInfo& info) {
  const auto fd = FdArgument(info, 0);
  if (!fd) return info.Env().Undefined();
  bpf_link_info found{};
  uint32_t size = sizeof(found);
  if (bpf_obj_get_info_by_fd(*fd, &found, &size) != 0) return Throw(info.Env(), "link info", errno);
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("id", found.id);
  result.Set("type", found.type);
  result.Set("programId", found.prog_id);
  return result;
}

/** runIterator(link): reads it to the end; what the program printed. */
Napi::Value RunIterator(const Napi::CallbackInfo& info) {
  const auto fd = FdArgument(info, 0);
  if (!fd) return info.Env().Undefined();
  UniqueFd iterator(bpf_iter_create(*fd));
  if (!iterator) return Throw(info.Env(), "create iterator", errno);
  std::vector<uint8_t> text;
  uint8_t piece[4096];
  while (text.size() < kIteratorBytes) {
    const ssize_t length = ::read(iterator.get(), piece, sizeof(piece));
    if (length == 0) break;
    // The kernel returns EAGAIN after many elements without output, so that a reader can be interrupted.
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (length < 0) return Throw(info.Env(), "read iterator", errno);
    text.insert(text.end(), piece, piece + length);
  }
  return Napi::Buffer<uint8_t>::Copy(info.Env(), text.data(), text.size());
}

/** kernelHas(names): for each function or type name, whether the running kernel's BTF has it. */
Napi::Value KernelHas(const Napi::CallbackInfo& info) {
  if (!info[0].IsArray()) return ThrowType(info.Env(), "argument 0 must be an array");
  LibbpfLog log;
  std::unique_ptr<btf, FreeBtf> types(btf__load_vmlinux_btf());
  if (!types) return Throw(info.Env(), "load the kernel's BTF", errno, log.text());
  const auto names = info[0].As<Napi::Array>();
  Napi::Array result = Napi::Array::New(info.Env(), names.Length());
  for (uint32_t i = 0; i < names.Length(); i++) {
    const std::string name = Napi::Value(names[i]).ToString().Utf8Value();
    result.Set(i, btf__find_by_name_kind(types.get(), name.c_str(), BTF_KIND_FUNC) >= 0 ||
                      btf__find_by_name_kind(types.get(), name.c_str(), BTF_KIND_TYPEDEF) >= 0);
  }
  return result;
}

}  // namespace

void DefinePrograms(Napi::Env env, Napi::Object exports) {
  exports.Set("programInfo", Napi::Function::New<ProgramInfo>(env));
  exports.Set("linkInfo", Napi::Function::New<LinkInfo>(env));
  exports.Set("runIterator", Napi::Function::New<RunIterator>(env));
  exports.Set("kernelHas", Napi::Function::New<KernelHas>(env));
}

}  // namespace alert_throttle
