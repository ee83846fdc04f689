// A compiled BPF object: opened, given sizes, pins and constants, loaded, and its programs attached. What comes out are
// handles of descriptors of their own; the object itself can go as soon as they are there.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "addon.h"

namespace alert_throttle {

namespace {

struct CloseObject {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
struct DestroyLink {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};

/** A second descriptor of the same map, program or link, which outlives the object that made it. */
UniqueFd Duplicate(int fd) { return UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

class ObjectFile : public Napi::ObjectWrap<ObjectFile> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "ObjectFile",
                       {
                           InstanceMethod<&ObjectFile::Maps>("maps"),
                           InstanceMethod<&ObjectFile::Programs>("programs"),
                           InstanceMethod<&ObjectFile::SetMaxEntries>("setMaxEntries"),
                           InstanceMethod<&ObjectFile::SetPinPath>("setPinPath"),
                           InstanceMethod<&ObjectFile::SetMmapable>("setMmapable"),
                           InstanceMethod<&ObjectFile::SetConstant>("setConstant"),
                           InstanceMethod<&ObjectFile::SetAutoload>("setAutoload"),
                           InstanceMethod<&ObjectFile::Load>("load"),
                           InstanceMethod<&ObjectFile::MapHandle>("map"),
                           InstanceMethod<&ObjectFile::ProgramHandle>("program"),
                           InstanceMethod<&ObjectFile::Attach>("attach"),
                           InstanceMethod<&ObjectFile::Close>("close"),
                       });
  }

  explicit ObjectFile(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ObjectFile>(info) {
    const auto path = StringArgument(info, 0);
    if (!path) return;
    LibbpfLog log;
    object_.reset(bpf_object__open_file(path->c_str(), nullptr));
    if (!object_) Throw(info.Env(), "open " + *path, errno, log.text());
  }

 private:
  /** The object; with an error pending, null. */
  bpf_object* Opened(const Napi::CallbackInfo& info) {
    if (!object_) ThrowType(info.Env(), "the object is closed");
    return object_.get();
  }

  bpf_map* FindMap(const Napi::CallbackInfo& info) {
    bpf_object* object = Opened(info);
    const auto name = object == nullptr ? std::nullopt : StringArgument(info, 0);
    if (!name) return nullptr;
    bpf_map* map = bpf_object__find_map_by_name(object, name->c_str());
    if (map == nullptr) Throw(info.Env(), "map " + *name, ENOENT);
    return map;
  }

  bpf_program* FindProgram(const Napi::CallbackInfo& info) {
    bpf_object* object = Opened(info);
    const auto name = object == nullptr ? std::nullopt : StringArgument(info, 0);
    if (!name) return nullptr;
    bpf_program* program = bpf_object__find_program_by_name(object, name->c_str());
    if (program == nullptr) Throw(info.Env(), "program " + *name, ENOENT);
    return program;
  }

  Napi::Value Maps(const Napi::CallbackInfo& info) {
    Napi::Array list = Napi::Array::New(info.Env());
    bpf_object* object = Opened(info);
    if (object == nullptr) return list;
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object) {
      Napi::Object entry = Napi::Object::New(info.Env());
      entry.Set("name", bpf_map__name(map));
      entry.Set("type", static_cast<double>(bpf_map__type(map)));
      entry.Set("keySize", bpf_map__key_size(map));
      entry.Set("valueSize", bpf_map__value_size(map));
      entry.Set("maxEntries", bpf_map__max_entries(map));
      entry.Set("internal", bpf_map__is_internal(map));
      list.Set(list.Length(), entry);
    }
    return list;
  }

  Napi::Value Programs(const Napi::CallbackInfo& info) {
    Napi::Array list = Napi::Array::New(info.Env());
    bpf_object* object = Opened(info);
    if (object == nullptr) return list;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object) {
      Napi::Object entry = Napi::Object::New(info.Env());
      entry.Set("name", bpf_program__name(program));
      entry.Set("section", bpf_program__section_name(program));
      list.Set(list.Length(), entry);
    }
    return list;
  }

  Napi::Value SetMaxEntries(const Napi::CallbackInfo& info) {
    bpf_map* map = FindMap(info);
    const auto entries = map == nullptr ? std::nullopt : NumberArgument(info, 1);
    if (!entries) return info.Env().Undefined();
    const int error = bpf_map__set_max_entries(map, *entries);
    return error == 0 ? info.Env().Undefined() : Throw(info.Env(), "resize map", error);
  }

  Napi::Value SetPinPath(const Napi::CallbackInfo& info) {
    bpf_map* map = FindMap(info);
    const auto path = map == nullptr ? std::nullopt : StringArgument(info, 1);
    if (!path) return info.Env().Undefined();
    const int error = bpf_map__set_pin_path(map, path->c_str());
    return error == 0 ? info.Env().Undefined() : Throw(info.Env(), "set pin path", error);
  }

  Napi::Value SetMmapable(const Napi::CallbackInfo& info) {
    bpf_map* map = FindMap(info);
    if (map == nullptr) return info.Env().Undefined();
    const int error = bpf_map__set_map_flags(map, bpf_map__map_flags(map) | BPF_F_MMAPABLE);
    return error == 0 ? info.Env().Undefined() : Throw(info.Env(), "set map flags", error);
  }

  /** setConstant(name, value): a `const volatile __u32` of the object; false where it has none of that name. */
  Napi::Value SetConstant(const Napi::CallbackInfo& info) {
    bpf_object* object = Opened(info);
    const auto name = object == nullptr ? std::nullopt : StringArgument(info, 0);
    const auto value = name ? NumberArgument(info, 1) : std::nullopt;
    if (!value) return info.Env().Undefined();
    const auto offset = OffsetOfConstant(object, *name);
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object) {
      const char* map_name = bpf_map__name(map);
      const size_t length = std::strlen(map_name);
      if (!offset || !bpf_map__is_internal(map) || length < 7 || std::strcmp(map_name + length - 7, ".rodata") != 0) continue;
      size_t size = 0;
      auto* bytes = static_cast<uint8_t*>(const_cast<void*>(bpf_map__initial_value(map, &size)));
      if (bytes == nullptr || *offset + sizeof(uint32_t) > size) break;
      std::memcpy(bytes + *offset, &*value, sizeof(uint32_t));
      return Napi::Boolean::New(info.Env(), true);
    }
    return Napi::Boolean::New(info.Env(), false);
  }

  static std::optional<size_t> OffsetOfConstant(bpf_object* object, const std::string& name) {
    const btf* types = bpf_object__btf(object);
    const int section = types == nullptr ? -1 : btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC);
    if (section < 0) return std::nullopt;
    const btf_type* datasec = btf__type_by_id(types, static_cast<uint32_t>(section));
    const btf_var_secinfo* variable = btf_var_secinfos(datasec);
    for (int i = 0; i < btf_vlen(datasec); i++, variable++) {
      const btf_type* type = btf__type_by_id(types, variable->type);
      if (name == btf__name_by_offset(types, type->name_off) && variable->size == sizeof(uint32_t)) return variable->offset;
    }
    return std::nullopt;
  }

  Napi::Value SetAutoload(const Napi::CallbackInfo& info) {
    bpf_program* program = FindProgram(info);
    if (program == nullptr) return info.Env().Undefined();
    const int error = bpf_program__set_autoload(program, info[1].ToBoolean().Value());
    return error == 0 ? info.Env().Undefined() : Throw(info.Env(), "set autoload", error);
  }

  Napi::Value Load(const Napi::CallbackInfo& info) {
    bpf_object* object = Opened(info);
    if (object == nullptr) return info.Env().Undefined();
    LibbpfLog log;
    const int error = bpf_object__load(object);
    if (error != 0) return Throw(info.Env(), "load", error, log.text());
    return Napi::String::New(info.Env(), log.text());
  }

  Napi::Value MapHandle(const Napi::CallbackInfo& info) {
    bpf_map* map = FindMap(info);
    return map == nullptr ? info.Env().Undefined() : Duplicated(info.Env(), bpf_map__fd(map));
  }

  Napi::Value ProgramHandle(const Napi::CallbackInfo& info) {
    bpf_program* program = FindProgram(info);
    return program == nullptr ? info.Env().Undefined() : Duplicated(info.Env(), bpf_program__fd(program));
  }

  static Napi::Value Duplicated(Napi::Env env, int fd) {
    UniqueFd second = Duplicate(fd);
    return second ? Handle::Make(env, std::move(second)) : Throw(env, "duplicate a descriptor", errno);
  }

  /** attach(program, mapOfIterator?): the link. */
  Napi::Value Attach(const Napi::CallbackInfo& info) {
    bpf_program* program = FindProgram(info);
    if (program == nullptr) return info.Env().Undefined();
    bpf_iter_link_info iterated{};
    LIBBPF_OPTS(bpf_iter_attach_opts, options);
    if (info.Length() > 1 && !info[1].IsUndefined()) {
      const auto map = FdArgument(info, 1);
      if (!map) return info.Env().Undefined();
      iterated.map.map_fd = static_cast<uint32_t>(*map);
      options.link_info = &iterated;
      options.link_info_len = sizeof(iterated);
    }
    LibbpfLog log;
    std::unique_ptr<bpf_link, DestroyLink> link(options.link_info == nullptr
                                                    ? bpf_program__attach(program)
                                                    : bpf_program__attach_iter(program, &options));
    if (!link) return Throw(info.Env(), std::string("attach ") + bpf_program__name(program), errno, log.text());
    return Duplicated(info.Env(), bpf_link__fd(link.get()));
  }

  Napi::Value Close(const Napi::CallbackInfo& info) {
    object_.reset();
    return info.Env().Undefined();
  }

  std::unique_ptr<bpf_object, CloseObject> object_;
};

}  // namespace

void DefineObjectFile(Napi::Env env, Napi::Object exports) { exports.Set("ObjectFile", ObjectFile::Define(env)); }

}  // namespace alert_throttle
