#include "actors/clients/uring.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <liburing.h>
#include <poll.h>
#include <string>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "config/base/check.hpp"

namespace kiwi::actors {

namespace {

// The second where little memory may be locked (64 KiB for who is not root). What does not fit into
// them costs system calls, nothing else.
struct Sizes {
  unsigned requests = 0;
  unsigned completions = 0;
};
constexpr std::array<Sizes, 2> kSizes{{{256, 4096}, {64, 256}}};
constexpr unsigned kFlags = IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL |
                            IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                            IORING_SETUP_TASKRUN_FLAG;
constexpr int kBufferGroup = 0;
// So often is the kernel asked to take requests before that counts as a failure.
constexpr int kTriesMax = 1000;
constexpr uint32_t kSendBytesMax = 1U << 30;
constexpr int kProofMs = 200;
static_assert((Uring::kBuffers & (Uring::kBuffers - 1)) == 0 && Uring::kBuffers <= 32768);

std::string failed(const char* what, int error) {
  return std::string(what) + ": " + std::strerror(error);
}

// What forbids it, most likely.
const char* hint(int error) {
  switch (error) {
    case EPERM:
      return " (forbidden here: by a container's profile, or by kernel.io_uring_disabled)";
    case ENOSYS:
      return " (this kernel has none, or a filter says so)";
    case EINVAL:
      return " (this kernel is older than 6.1)";
    case ENOMEM:
      return " (too little memory may be locked: ulimit -l)";
    default:
      return "";
  }
}

// Anonymous pages.
class Pages {
 public:
  explicit Pages(size_t bytes) : bytes_(bytes) {
    void* const at =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    at_ = at == MAP_FAILED ? nullptr : at;
  }
  ~Pages() {
    if (at_ != nullptr) {
      ::munmap(at_, bytes_);
    }
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  void* get() const { return at_; }

 private:
  size_t bytes_;
  void* at_ = nullptr;
};

Uring::Done done_of(const io_uring_cqe& cqe) {
  Uring::Done done;
  done.tag = cqe.user_data;
  done.result = cqe.res;
  done.more = (cqe.flags & IORING_CQE_F_MORE) != 0;
  done.has_buffer = (cqe.flags & IORING_CQE_F_BUFFER) != 0;
  done.buffer = static_cast<uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
  return done;
}

}  // namespace

struct Uring::State {
  State() = default;
  ~State() {
    if (open) {
      io_uring_queue_exit(&ring);
    }
    if (event_fd >= 0) {
      ::close(event_fd);
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  int open_ring(const Sizes& sizes) {
    io_uring_params params{};
    params.flags = kFlags;
    params.cq_entries = sizes.completions;
    const int error = -io_uring_queue_init_params(sizes.requests, &ring, &params);
    open = error == 0;
    return error;
  }

  int register_buffers() {
    io_uring_buf_reg with{};
    with.ring_addr = reinterpret_cast<uint64_t>(buffer_ring_pages.get());
    with.ring_entries = kBuffers;
    with.bgid = kBufferGroup;
    const int error = -io_uring_register_buf_ring(&ring, &with, 0);
    if (error != 0) {
      return error;
    }
    buffer_ring = static_cast<io_uring_buf_ring*>(buffer_ring_pages.get());
    io_uring_buf_ring_init(buffer_ring);
    for (size_t i = 0; i < kBuffers; ++i) {
      add_buffer(static_cast<uint16_t>(i), static_cast<int>(i));
    }
    io_uring_buf_ring_advance(buffer_ring, static_cast<int>(kBuffers));
    return 0;
  }

  char* buffer(uint16_t number) const {
    CHECK_INVARIANT(number < kBuffers);
    return static_cast<char*>(buffer_pages.get()) + number * kBufferBytes;
  }
  void add_buffer(uint16_t number, int behind) {
    io_uring_buf_ring_add(buffer_ring, buffer(number), kBufferBytes, number,
                          io_uring_buf_ring_mask(kBuffers), behind);
  }

  io_uring_sqe& request() {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    for (int i = 0; sqe == nullptr && i < kTriesMax; ++i) {
      enter(&io_uring_submit);
      sqe = io_uring_get_sqe(&ring);
    }
    if (sqe == nullptr) {
      fatal("io_uring takes no requests any more; io-engine epoll works without it");
    }
    return *sqe;
  }
  // No memory, a signal, or too much that was not fetched yet: what was not taken goes next time.
  void enter(int (*how)(io_uring*)) {
    const int result = how(&ring);
    if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) {
      fatal(failed("io_uring_enter failed", -result) + "; io-engine epoll works without it");
    }
  }

  io_uring ring{};
  bool open = false;
  int event_fd = -1;
  Pages buffer_ring_pages{kBuffers * sizeof(io_uring_buf)};
  Pages buffer_pages{kBuffers * kBufferBytes};
  io_uring_buf_ring* buffer_ring = nullptr;
};

Uring::Uring(std::unique_ptr<State> state) : state_(std::move(state)) {}
Uring::~Uring() = default;

Result<std::unique_ptr<Uring>> Uring::open() {
  std::string why;
  for (const Sizes& sizes : kSizes) {
    auto state = std::make_unique<State>();
    if (state->buffer_ring_pages.get() == nullptr || state->buffer_pages.get() == nullptr) {
      return Error{Errc::kIo, "no memory for its buffers"};
    }
    int error = state->open_ring(sizes);
    if (error == 0) {
      error = state->register_buffers();
      why = failed("its buffer ring", error) + (error == ENOMEM ? hint(error) : "");
    } else {
      why = failed("io_uring_setup", error) + hint(error);
    }
    if (error == ENOMEM) {
      continue;  // what may be locked is bounded (ulimit -l)
    }
    if (error != 0) {
      break;
    }
    state->event_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (state->event_fd < 0) {
      return Error{Errc::kIo, failed("eventfd", errno)};
    }
    if (const int refused = -io_uring_register_eventfd(&state->ring, state->event_fd);
        refused != 0) {
      return Error{Errc::kIo, failed("its eventfd", refused)};
    }
    std::unique_ptr<Uring> ring(new Uring(std::move(state)));
    if (std::optional<Error> missing = ring->prove()) {
      return std::move(*missing);
    }
    return ring;
  }
  return Error{Errc::kIo, why};
}

// ---------------------------------------------------------------- requests

void Uring::receive(int socket, uint64_t tag) {
  io_uring_sqe& sqe = state_->request();
  io_uring_prep_recv_multishot(&sqe, socket, nullptr, 0, 0);
  sqe.flags |= IOSQE_BUFFER_SELECT;
  sqe.buf_group = kBufferGroup;
  io_uring_sqe_set_data64(&sqe, tag);
}

void Uring::accept(int listener, uint64_t tag) {
  io_uring_sqe& sqe = state_->request();
  io_uring_prep_multishot_accept(&sqe, listener, nullptr, nullptr, SOCK_CLOEXEC);
  io_uring_sqe_set_data64(&sqe, tag);
}

void Uring::send(int socket, std::string_view bytes, uint64_t tag) {
  CHECK_INVARIANT(!bytes.empty());
  io_uring_sqe& sqe = state_->request();
  io_uring_prep_send(&sqe, socket, bytes.data(), std::min<size_t>(bytes.size(), kSendBytesMax),
                     MSG_NOSIGNAL);
  io_uring_sqe_set_data64(&sqe, tag);
}

void Uring::cancel(uint64_t tag) {
  CHECK_INVARIANT(tag != kNobody);
  io_uring_sqe& sqe = state_->request();
  io_uring_prep_cancel64(&sqe, tag, 0);
  io_uring_sqe_set_data64(&sqe, kNobody);
}

void Uring::cancel_all() {
  io_uring_sqe& sqe = state_->request();
  io_uring_prep_cancel64(&sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
  io_uring_sqe_set_data64(&sqe, kNobody);
}

bool Uring::has_requests() const { return io_uring_sq_ready(&state_->ring) != 0; }
void Uring::submit() { state_->enter(&io_uring_submit); }
void Uring::fetch() { state_->enter(&io_uring_submit_and_get_events); }

// ---------------------------------------------------------------- what became of them

bool Uring::has_news() const {
  const unsigned flags = *const_cast<const volatile unsigned*>(state_->ring.sq.kflags);
  return first_.has_value() || io_uring_cq_ready(&state_->ring) != 0 ||
         (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

const std::optional<Uring::Done>& Uring::peek() {
  while (!first_ && io_uring_cq_ready(&state_->ring) != 0) {
    const io_uring& ring = state_->ring;
    const Done done = done_of(ring.cq.cqes[*ring.cq.khead & ring.cq.ring_mask]);
    io_uring_cq_advance(&state_->ring, 1);
    if (done.tag != kNobody) {
      first_ = done;
    }
  }
  return first_;
}

std::optional<Uring::Done> Uring::next() {
  (void)peek();
  return std::exchange(first_, std::nullopt);
}

bool Uring::has_received(uint64_t tag) const {
  const auto is_of = [tag](const Done& done) { return done.tag == tag && done.result > 0; };
  if (first_ && is_of(*first_)) {
    return true;
  }
  const io_uring& ring = state_->ring;
  const unsigned count = io_uring_cq_ready(&ring);
  for (unsigned i = 0; i < count; ++i) {
    if (is_of(done_of(ring.cq.cqes[(*ring.cq.khead + i) & ring.cq.ring_mask]))) {
      return true;
    }
  }
  return false;
}

std::string_view Uring::received(const Done& done) const {
  CHECK_INVARIANT(done.has_buffer && done.result > 0);
  const auto size = static_cast<size_t>(done.result);
  CHECK_INVARIANT(size <= kBufferBytes);
  return {state_->buffer(done.buffer), size};
}

void Uring::give_back(const Done& done) {
  CHECK_INVARIANT(done.has_buffer);
  state_->add_buffer(done.buffer, 0);
  io_uring_buf_ring_advance(state_->buffer_ring, 1);
}

int Uring::event_fd() const { return state_->event_fd; }

// Whoever switches it on looks at has_news() behind it: the kernel reads the switch after it has
// said that there is news.
void Uring::signal(bool on) {
  io_uring_cq_eventfd_toggle(&state_->ring, on);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

// ---------------------------------------------------------------- the proof

namespace {

class SocketPair {
 public:
  SocketPair() {
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds_.data()) != 0) {
      fds_ = {-1, -1};
    }
  }
  ~SocketPair() {
    for (const int fd : fds_) {
      if (fd >= 0) {
        ::close(fd);
      }
    }
  }
  SocketPair(const SocketPair&) = delete;
  SocketPair& operator=(const SocketPair&) = delete;
  int ours() const { return fds_[0]; }
  int theirs() const { return fds_[1]; }

 private:
  std::array<int, 2> fds_{-1, -1};
};

Error lacks(const std::string& what) { return Error{Errc::kIo, what + " does not work here"}; }

}  // namespace

// A filter may let io_uring_setup pass and forbid the rest, and a kernel may know the flags and not
// do what the loop lives by.
std::optional<Error> Uring::prove() {
  constexpr uint64_t kReceive = 1;
  constexpr uint64_t kSend = 2;
  const SocketPair pair;
  if (pair.ours() < 0) {
    return Error{Errc::kIo, failed("socketpair", errno)};
  }
  receive(pair.ours(), kReceive);
  send(pair.ours(), "a", kSend);
  if (const int result = io_uring_submit(&state_->ring); result < 0) {
    return Error{Errc::kIo, failed("io_uring_enter", -result)};
  }
  std::optional<Done> done = next();
  if (!done || done->tag != kSend || done->result != 1) {
    return lacks("sending by it");
  }
  if (::send(pair.theirs(), "b", 1, MSG_NOSIGNAL) != 1) {
    return Error{Errc::kIo, failed("send", errno)};
  }
  pollfd bell{event_fd(), POLLIN, 0};
  uint64_t count = 0;
  if (::poll(&bell, 1, kProofMs) != 1 || ::read(event_fd(), &count, sizeof(count)) < 0) {
    return lacks("the eventfd of an io_uring whose work is put off");
  }
  if (!has_news()) {
    return lacks("the flag that says that work was put off");
  }
  if (const int result = io_uring_submit_and_get_events(&state_->ring); result < 0) {
    return Error{Errc::kIo, failed("io_uring_enter", -result)};
  }
  done = next();
  if (!done || done->tag != kReceive || !done->has_buffer || !done->more ||
      received(*done) != "b") {
    return lacks("receiving more than once by one request");
  }
  give_back(*done);
  cancel(kReceive);
  for (int i = 0; i < kTriesMax; ++i) {
    fetch();
    done = next();
    if (done) {
      return done->tag == kReceive && !done->more ? std::nullopt
                                                  : std::optional(lacks("cancelling"));
    }
  }
  return lacks("cancelling");
}

}  // namespace kiwi::actors
