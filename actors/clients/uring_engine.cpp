#include "actors/clients/uring_engine.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/epoll.h>
#include <unistd.h>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>

#include "actors/clients/uring_stream.hpp"
#include "config/base/check.hpp"
#include "config/base/clock.hpp"
#include "config/base/log.hpp"
#include "config/limits.hpp"

namespace kiwi::actors {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;
using asio::posix::stream_descriptor;

namespace {

// Newer kernels hand out some twenty at a time of what was put off; there may be more behind so
// many.
constexpr size_t kMayBeMore = 16;
// As often is the kernel asked before other work of the loop gets its turn.
constexpr int kRoundsMax = 64;
// As in readable_sockets.cpp: how long the loop looks for the next client before it sleeps, and how
// close to each other clients come that are looked for.
constexpr int64_t kAwakeUs = 30;
constexpr int64_t kCloseUs = 100;
static_assert(kAwakeUs < kCloseUs);
constexpr int kBellEvents = 16;

}  // namespace

// Readable when something is put off while the loop may sleep, and when somebody knocks at a door:
// an epoll, so that Asio sees one descriptor. It has the ring's eventfd for its edges, which saves
// reading it.
struct UringEngine::Bell {
  Bell(asio::io_context& io, int event_fd) : fd(::epoll_create1(EPOLL_CLOEXEC)), watched(io) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = kWork;
    if (fd < 0 || ::epoll_ctl(fd, EPOLL_CTL_ADD, event_fd, &event) != 0) {
      fatal("the client loop cannot watch its io_uring: " + std::string(std::strerror(errno)));
    }
    watched.assign(fd);
  }
  static constexpr uint64_t kWork = UINT64_MAX;  // else a door

  const int fd;
  stream_descriptor watched;  // closes it
};

UringEngine::UringEngine(asio::io_context& io, LoopHooks hooks, std::unique_ptr<Uring> ring)
    : io_(io),
      hooks_(std::move(hooks)),
      ring_(std::move(ring)),
      bell_(std::make_unique<Bell>(io, ring_->event_fd())) {}
UringEngine::~UringEngine() = default;

void UringEngine::begin() { wait_for_bell(); }

// ---------------------------------------------------------------- streams

std::shared_ptr<ByteStream> UringEngine::make_stream(int socket) {
  if (!ring_) {
    ::close(socket);
    return nullptr;
  }
  return std::make_shared<UringStream>(shared_from_this(), socket);
}

size_t UringEngine::enter(std::shared_ptr<UringStream> stream) {
  if (free_slots_.empty()) {
    slots_.push_back(nullptr);
    free_slots_.push_back(slots_.size() - 1);
  }
  const size_t slot = free_slots_.back();
  free_slots_.pop_back();
  CHECK_INVARIANT(slots_.at(slot) == nullptr);
  slots_[slot] = std::move(stream);
  return slot;
}

void UringEngine::leave(size_t slot) {
  CHECK_INVARIANT(slots_.at(slot) != nullptr);
  slots_[slot] = nullptr;
  free_slots_.push_back(slot);
}

uint64_t UringEngine::tag_of_receive(size_t slot) const { return make_tag(slot, Kind::kReceive); }
uint64_t UringEngine::tag_of_send(size_t slot) const { return make_tag(slot, Kind::kSend); }

void UringEngine::will_send(std::shared_ptr<UringStream> stream) {
  to_send_.push_back(std::move(stream));
  will_submit();
}

void UringEngine::will_submit() {
  if (passing_ || reaping_ || flush_posted_ || (hooks_.flushes && hooks_.flushes())) {
    return;  // seen to
  }
  flush_posted_ = true;
  asio::post(io_, [self = shared_from_this()] {
    self->flush_posted_ = false;
    self->flush();
  });
}

bool UringEngine::has_received(size_t slot) const {
  const uint64_t wanted = tag_of_receive(slot);
  for (size_t i = next_kept_; i < kept_.size(); ++i) {
    if (kept_[i].tag == wanted && kept_[i].result > 0) {
      return true;
    }
  }
  return ring_ && ring_->has_received(wanted);
}

// All of a turn in one call. What can be sent at once is done when it returns.
void UringEngine::flush() {
  if (reaping_) {
    return;  // whoever reaps flushes behind it
  }
  const auto is_over = [this] { return !ring_ || (to_send_.empty() && !ring_->has_requests()); };
  if (is_over()) {
    return;
  }
  // What is done at once would ring, for nothing: it is reaped here.
  const bool quiet = !held_ && !passing_;
  if (quiet) {
    ring_->signal(false);
  }
  for (int round = 0; round < kRoundsMax && !is_over(); ++round) {
    sending_.swap(to_send_);
    for (const std::shared_ptr<UringStream>& stream : sending_) {
      stream->make_send();
    }
    sending_.clear();
    ring_->submit();
    (void)reap(held_ ? Receives::kKept : Receives::kGiven);
  }
  if (!is_over()) {
    will_submit();
  }
  if (quiet) {
    rest();
  }
}

// ---------------------------------------------------------------- when the loop looks

void UringEngine::wait_for_bell() {
  bell_->watched.async_wait(stream_descriptor::wait_read,
                            [self = shared_from_this()](const ErrorCode& error) {
                              if (!error && self->ring_) {
                                self->answer_bell();
                              }
                              if (!error && self->ring_) {
                                self->wait_for_bell();
                              }
                            });
}

// Who is new may gain, so a knock is answered also while the sockets are held.
void UringEngine::answer_bell() {
  std::array<epoll_event, kBellEvents> events;
  const int count = ::epoll_wait(bell_->fd, events.data(), kBellEvents, 0);
  bool knocks = false;
  for (int i = 0; i < count; ++i) {
    knocks = knocks || events[static_cast<size_t>(i)].data.u64 != Bell::kWork;
  }
  if (held_ && knocks) {
    (void)take(true, kPiecesOfPass);
    flush();
  } else {
    rung(count > 0);
  }
}

void UringEngine::watch_door(size_t index, bool watched) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = index;
  const int how = watched ? EPOLL_CTL_ADD : EPOLL_CTL_DEL;
  if (::epoll_ctl(bell_->fd, how, doors_.at(index)->fd, &event) != 0 && errno != EEXIST &&
      errno != ENOENT) {
    log_warning("a listening socket cannot be watched: " + std::string(std::strerror(errno)));
  }
}

// `surely`: the kernel has put something off, whatever its flag says.
void UringEngine::rung(bool surely) {
  if (!held_ && !passing_) {
    passing_ = true;
    ring_->signal(false);
    size_t found = take(surely, kPiecesOfPass);
    if (found == 0 && expected_ && awake_ && wait_a_little()) {
      found = take(false, kPiecesOfPass);
    }
    const int64_t now_us = expected_ ? boot_clock_us() : 0;
    awake_ = expected_ && found > 0 && now_us - last_found_us_ < kCloseUs;
    last_found_us_ = found > 0 ? now_us : last_found_us_;
    passing_ = false;
    flush();
    rest();
  }
}

void UringEngine::pass() { rung(false); }

void UringEngine::pass_later() {
  if (std::exchange(pass_posted_, true)) {
    return;
  }
  asio::post(io_, [self = shared_from_this()] {
    self->pass_posted_ = false;
    if (self->ring_) {
      self->pass();
    }
  });
}

// From here on the loop may sleep.
void UringEngine::rest() {
  if (!ring_ || held_ || passing_) {
    return;
  }
  ring_->signal(true);
  if (awake_ || next_kept_ < kept_.size() || ring_->has_news()) {
    pass_later();
  }
}

// Whether somebody came. A look at memory each time.
bool UringEngine::wait_a_little() {
  const int64_t begin_us = boot_clock_us();
  while (!ring_->has_news()) {
    if (boot_clock_us() - begin_us >= kAwakeUs) {
      return false;
    }
  }
  return true;
}

void UringEngine::hold(bool held) {
  if (!ring_) {
    return;
  }
  if (shut_doors_ != 0) {
    open_doors_again();
  }
  if (std::exchange(held_, held) == held) {
    return;
  }
  if (held) {
    ring_->signal(false);
  } else {
    rest();
  }
}

void UringEngine::look() {
  if (!ring_ || !held_ || (next_kept_ == kept_.size() && !ring_->has_news())) {
    return;
  }
  looks_ += take(false, kPiecesOfLook) > 0 ? 1 : 0;
  if (!hooks_.flushes || !hooks_.flushes()) {
    flush();
  }
}

// All that is there, but for what so many pieces leave; how many came. What stays rings, or is
// found by rest().
size_t UringEngine::take(bool surely, size_t pieces) {
  if (reaping_) {
    return 0;
  }
  bool around = false;
  size_t found = 0;
  for (int round = 0; round < kRoundsMax && ring_ && found < pieces; ++round) {
    if (surely || ring_->has_news() || ring_->has_requests()) {
      ring_->fetch();
    }
    if (round == 0 && hooks_.before && (next_kept_ < kept_.size() || ring_->peek())) {
      around = hooks_.before();
    }
    const size_t here = reap(Receives::kGiven);
    found += here;
    surely = here >= kMayBeMore;
    if (!surely && (!ring_ || !ring_->has_news())) {
      break;
    }
  }
  if (around) {
    hooks_.behind();
  }
  return found;
}

// ---------------------------------------------------------------- what came

size_t UringEngine::reap(Receives receives) {
  size_t came = 0;
  reaping_ = true;
  while (const std::optional<Uring::Done> done = next(receives)) {
    came += kind_of(done->tag) != Kind::kSend ? 1 : 0;
    handle(*done, receives);
  }
  reaping_ = false;
  return came;
}

std::optional<Uring::Done> UringEngine::next(Receives receives) {
  if (!ring_) {
    return std::nullopt;
  }
  if (receives == Receives::kGiven && next_kept_ < kept_.size()) {
    const Uring::Done done = kept_[next_kept_++];
    if (next_kept_ == kept_.size()) {
      kept_.clear();
      next_kept_ = 0;
    }
    return done;
  }
  return ring_->next();
}

bool UringEngine::next_belongs_to(const Uring::Done& done, Receives receives) {
  if (!ring_) {
    return false;
  }
  const bool kept = receives == Receives::kGiven && next_kept_ < kept_.size();
  const Uring::Done* following = nullptr;
  if (kept) {
    following = &kept_[next_kept_];
  } else if (const auto& first = ring_->peek()) {
    following = &*first;
  }
  return following != nullptr && following->tag == done.tag && following->has_buffer &&
         following->result > 0;
}

void UringEngine::handle(const Uring::Done& done, Receives receives) {
  switch (kind_of(done.tag)) {
    case Kind::kReceive:
      if (receives == Receives::kKept) {
        kept_.push_back(done);
      } else {
        received(done, receives);
      }
      break;
    case Kind::kSend: {
      const std::shared_ptr<UringStream> stream = slots_.at(index_of(done.tag));
      CHECK_INVARIANT(stream != nullptr);
      stream->send_done(done.result);
      break;
    }
    case Kind::kAccept:
      accepted(done);
      break;
  }
}

// Pieces of one stream that came together are given to it together: each gift is a message to the
// router.
void UringEngine::received(const Uring::Done& done, Receives receives) {
  const std::shared_ptr<UringStream> stream = slots_.at(index_of(done.tag));
  CHECK_INVARIANT(stream != nullptr);
  if (done.has_buffer && done.result > 0) {
    const std::string_view piece = ring_->received(done);
    const bool follows = next_belongs_to(done, receives);
    if (gathered_.empty() && !follows) {
      stream->received(piece);
    } else {
      gathered_.append(piece);
      if (!follows || gathered_.size() + Uring::kBufferBytes > config::limits::kSocketReadBytes) {
        stream->received(gathered_);
        gathered_.clear();
      }
    }
  }
  if (ring_ && done.has_buffer) {
    ring_->give_back(done);
  }
  stream->receive_done(done.result, done.more);
}

void UringEngine::clear() {
  if (!ring_) {
    return;
  }
  for (const std::shared_ptr<Door>& door : doors_) {
    door->close();
  }
  // What the kernel still has of the streams ends with the ring.
  ring_->cancel_all();
  ring_->fetch();
  bell_.reset();
  ring_.reset();
  kept_.clear();
  next_kept_ = 0;
  to_send_.clear();
  for (const std::shared_ptr<UringStream>& stream : std::vector(slots_)) {
    if (stream) {
      stream->engine_ends();
    }
  }
}

Result<std::shared_ptr<SocketEngine>> make_uring_engine(asio::io_context& io, LoopHooks hooks) {
  Result<std::unique_ptr<Uring>> ring = Uring::open();
  if (!ring) {
    return ring.error();
  }
  auto engine = std::make_shared<UringEngine>(io, std::move(hooks), std::move(*ring));
  engine->begin();
  return std::shared_ptr<SocketEngine>(std::move(engine));
}

}  // namespace kiwi::actors
