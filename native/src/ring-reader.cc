// Reading ring buffers without losing what is on its way: a record leaves its ring only when JavaScript has said that
// the batch it came in is safe. So a producer that is killed finds the same records again in the pinned ring. (The
// reader of libbpf frees a record as soon as its callback returns.)
//
//   thread:     wait for data ── copy a batch ── hand it over ── wait for release ── move the consumer positions ─┐
//                 ▲                                                                                                 │
//                 └─────────────────────────────────────────────────────────────────────────────────────────────────┘
//   JavaScript:                                  onBatch(bytes) ... release()
//
// One batch is under way at most, and its size is bounded: a slow consumer leaves its records in the ring.
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "addon.h"

namespace alert_throttle {

namespace {

constexpr size_t kAlign = 8;

/** In a batch, before each record. Records begin at multiples of 8. */
struct Frame {
  uint32_t ring;
  uint32_t length;
};

size_t RoundUp(size_t size) { return (size + kAlign - 1) / kAlign * kAlign; }

/** The pages of one ring, as kernel/bpf/ringbuf.c lays them out for mmap: consumer position, producer position, data twice. */
class Ring {
 public:
  static std::unique_ptr<Ring> Map(int fd, uint32_t size) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    void* consumer = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (consumer == MAP_FAILED) return nullptr;
    void* producer = mmap(nullptr, page + 2 * static_cast<size_t>(size), PROT_READ, MAP_SHARED, fd, static_cast<off_t>(page));
    if (producer == MAP_FAILED) {
      const int error = errno;
      munmap(consumer, page);
      errno = error;
      return nullptr;
    }
    std::unique_ptr<Ring> ring(new Ring(fd, size, page, consumer, producer));
    // Without a descriptor of its own it would never be found readable.
    return ring->fd() < 0 ? nullptr : std::move(ring);
  }
  ~Ring() {
    munmap(consumer_, page_);
    munmap(const_cast<unsigned long*>(producer_), page_ + 2 * size_);
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  int fd() const { return fd_.get(); }

  /** Appends committed records to `batch`, at most `limit` bytes of them, but one at least. */
  void Peek(uint32_t index, size_t limit, std::vector<uint8_t>& batch) {
    read_ = __atomic_load_n(consumer_, __ATOMIC_RELAXED);
    const unsigned long end = __atomic_load_n(producer_, __ATOMIC_ACQUIRE);
    size_t taken = 0;
    while (read_ < end) {
      const uint8_t* header = data_ + (read_ & (size_ - 1));
      const uint32_t word = __atomic_load_n(reinterpret_cast<const uint32_t*>(header), __ATOMIC_ACQUIRE);
      if ((word & BPF_RINGBUF_BUSY_BIT) != 0) return;
      const uint32_t length = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
      if ((word & BPF_RINGBUF_DISCARD_BIT) == 0) {
        const size_t framed = sizeof(Frame) + RoundUp(length);
        if (taken > 0 && taken + framed > limit) return;
        const Frame frame{index, length};
        const size_t at = batch.size();
        batch.resize(at + framed);
        std::memcpy(batch.data() + at, &frame, sizeof(frame));
        std::memcpy(batch.data() + at + sizeof(frame), header + BPF_RINGBUF_HDR_SZ, length);
        taken += framed;
      }
      read_ += RoundUp(length + BPF_RINGBUF_HDR_SZ);
    }
  }

  /** Gives back to the kernel what the last Peek has read. */
  void Release() { __atomic_store_n(consumer_, read_, __ATOMIC_RELEASE); }

 private:
  Ring(int fd, size_t size, size_t page, void* consumer, void* producer)
      : fd_(fcntl(fd, F_DUPFD_CLOEXEC, 3)),
        size_(size),
        page_(page),
        consumer_(static_cast<unsigned long*>(consumer)),
        producer_(static_cast<const unsigned long*>(producer)),
        data_(static_cast<const uint8_t*>(producer) + page),
        read_(*consumer_) {}

  UniqueFd fd_;
  size_t size_;
  size_t page_;
  unsigned long* consumer_;
  const unsigned long* producer_;
  const uint8_t* data_;
  unsigned long read_;
};

using Batch = std::vector<uint8_t>;

class RingReader : public Napi::ObjectWrap<RingReader> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "RingReader",
                       {
                           InstanceMethod<&RingReader::Read>("read"),
                           InstanceMethod<&RingReader::Start>("start"),
                           InstanceMethod<&RingReader::Release>("release"),
                           InstanceMethod<&RingReader::Close>("close"),
                       });
  }

  /** new RingReader(maps, bytesPerRingAndBatch) */
  explicit RingReader(const Napi::CallbackInfo& info) : Napi::ObjectWrap<RingReader>(info), env_(info.Env()) {
    if (!info[0].IsArray()) {
      ThrowType(env_, "argument 0 must be an array");
      return;
    }
    const auto bytes = NumberArgument(info, 1);
    if (!bytes) return;
    batch_bytes_ = *bytes;
    wake_ = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_ || !MapRings(info)) {
      if (!env_.IsExceptionPending()) Throw(env_, "map a ring", errno);
      rings_.clear();
      return;
    }
    napi_add_env_cleanup_hook(env_, &RingReader::Cleanup, this);
    hooked_ = true;
  }

  ~RingReader() { Stop(); }

 private:
  bool MapRings(const Napi::CallbackInfo& info) {
    const auto maps = info[0].As<Napi::Array>();
    for (uint32_t i = 0; i < maps.Length(); i++) {
      Napi::Value element = maps[i];
      const auto fd = FdOf(env_, element);
      if (!fd) return false;
      bpf_map_info found{};
      uint32_t size = sizeof(found);
      if (bpf_obj_get_info_by_fd(*fd, &found, &size) != 0) return false;
      if (found.type != BPF_MAP_TYPE_RINGBUF) {
        ThrowType(env_, "not a ring buffer");
        return false;
      }
      auto ring = Ring::Map(*fd, found.max_entries);
      if (!ring) return false;
      rings_.push_back(std::move(ring));
    }
    return true;
  }

  static void Cleanup(void* self) {
    auto* reader = static_cast<RingReader*>(self);
    reader->hooked_ = false;
    reader->Stop();
  }

  /** Idempotent. The records of a batch that was not released stay in their rings. */
  void Stop() {
    if (hooked_) napi_remove_env_cleanup_hook(env_, &RingReader::Cleanup, this);
    hooked_ = false;
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      stopped_ = true;
    }
    released_.notify_all();
    if (wake_) {
      const uint64_t one = 1;
      [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof(one));
    }
    if (thread_.joinable()) {
      thread_.join();
      if (!delivery_closed_) deliver_.Release();
    }
    rings_.clear();
  }

  void PeekAll(Batch& batch) {
    for (size_t i = 0; i < rings_.size(); i++) rings_[i]->Peek(static_cast<uint32_t>(i), batch_bytes_, batch);
  }

  /** read(): what is there now, or undefined; not while a thread reads, and not before the last batch was released. */
  Napi::Value Read(const Napi::CallbackInfo& info) {
    if (thread_.joinable() || outstanding_ || rings_.empty()) {
      return ThrowType(info.Env(), rings_.empty() ? "the reader is closed" : "a batch is under way");
    }
    Batch batch;
    PeekAll(batch);
    if (batch.empty()) {
      // Discarded records are passed over here, as they are in no batch that would be released.
      for (auto& ring : rings_) ring->Release();
      return info.Env().Undefined();
    }
    outstanding_ = true;
    return Napi::Buffer<uint8_t>::Copy(info.Env(), batch.data(), batch.size());
  }

  /** start(onBatch): from now on, one call for each batch; the next comes after release(). */
  Napi::Value Start(const Napi::CallbackInfo& info) {
    if (rings_.empty() || thread_.joinable() || outstanding_) return ThrowType(info.Env(), "cannot start now");
    if (!info[0].IsFunction()) return ThrowType(info.Env(), "argument 0 must be a function");
    deliver_ = Napi::ThreadSafeFunction::New(info.Env(), info[0].As<Napi::Function>(), "alert-throttle rings", 1, 1);
    thread_ = std::thread([this] { Run(); });
    return info.Env().Undefined();
  }

  void Run() {
    std::vector<pollfd> waited;
    for (const auto& ring : rings_) waited.push_back({ring->fd(), POLLIN, 0});
    waited.push_back({wake_.get(), POLLIN, 0});
    while (!Stopped()) {
      if (::poll(waited.data(), waited.size(), -1) < 0 && errno != EINTR) return;
      auto batch = std::make_unique<Batch>();
      PeekAll(*batch);
      if (batch->empty()) {
        for (auto& ring : rings_) ring->Release();
        // A record that is reserved but not yet committed makes a ring readable: do not spin until it is.
        const timespec pause{0, 200'000};
        nanosleep(&pause, nullptr);
        continue;
      }
      {
        const std::lock_guard<std::mutex> guard(mutex_);
        outstanding_ = true;
      }
      Batch* handed = batch.release();
      if (deliver_.BlockingCall(handed, &RingReader::Deliver) != napi_ok) {
        // The environment is going; the function has counted this thread out already.
        delivery_closed_ = true;
        delete handed;
        return;
      }
      std::unique_lock<std::mutex> lock(mutex_);
      released_.wait(lock, [this] { return stopped_ || !outstanding_; });
    }
  }

  bool Stopped() {
    const std::lock_guard<std::mutex> guard(mutex_);
    return stopped_;
  }

  /** On the thread of JavaScript; without an environment when that is being torn down. */
  static void Deliver(Napi::Env env, Napi::Function callback, Batch* handed) {
    const std::unique_ptr<Batch> batch(handed);
    if (env == nullptr || callback.IsEmpty()) return;
    const Napi::HandleScope scope(env);
    callback.Call({Napi::Buffer<uint8_t>::Copy(env, batch->data(), batch->size())});
  }

  Napi::Value Release(const Napi::CallbackInfo& info) {
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      if (!outstanding_) return info.Env().Undefined();
      for (auto& ring : rings_) ring->Release();
      outstanding_ = false;
    }
    released_.notify_all();
    return info.Env().Undefined();
  }

  Napi::Value Close(const Napi::CallbackInfo& info) {
    Stop();
    return info.Env().Undefined();
  }

  Napi::Env env_;
  size_t batch_bytes_ = 0;
  std::vector<std::unique_ptr<Ring>> rings_;
  UniqueFd wake_;
  std::thread thread_;
  Napi::ThreadSafeFunction deliver_;
  std::mutex mutex_;
  std::condition_variable released_;
  bool outstanding_ = false;
  bool stopped_ = false;
  bool hooked_ = false;
  bool delivery_closed_ = false;
};

}  // namespace

void DefineRingReader(Napi::Env env, Napi::Object exports) { exports.Set("RingReader", RingReader::Define(env)); }

}  // namespace alert_throttle
