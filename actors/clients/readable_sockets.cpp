#include "actors/clients/readable_sockets.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <sys/epoll.h>
#include <utility>

#include <boost/asio/post.hpp>

#include "config/base/check.hpp"

namespace kiwi::actors {

namespace {

// As many sockets are visited before other work of the loop gets its turn.
constexpr int kVisitsMax = 128;
// Longer than a client on this machine takes between two commands, shorter than what a sleep and a
// wake-up cost both of them; no longer than that is ever spent for nothing.
constexpr std::chrono::microseconds kAwake{30};
constexpr std::chrono::microseconds kClose{100};  // to the one before: they come together
static_assert(kAwake < kClose);

int new_epoll() {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) {
    fatal("epoll_create1 failed: " + std::string(std::strerror(errno)));
  }
  return fd;
}

}  // namespace

ReadableSockets::ReadableSockets(boost::asio::io_context& io,
                                 Around around,
                                 std::function<Clock::time_point()> now)
    : epoll_(io, new_epoll()), around_(std::move(around)), now_(std::move(now)) {}

bool ReadableSockets::watch(int socket, std::shared_ptr<Reader> reader) {
  CHECK_INVARIANT(socket >= 0);
  const auto index = static_cast<size_t>(socket);
  if (readers_.size() <= index) {
    readers_.resize(index + 1);
  }
  CHECK_INVARIANT(readers_[index] == nullptr);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = socket;
  if (::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_ADD, socket, &event) != 0) {
    return false;
  }
  readers_[index] = std::move(reader);
  wait();
  return true;
}

void ReadableSockets::unwatch(int socket) {
  const auto index = static_cast<size_t>(socket);
  if (index < readers_.size() && readers_[index] != nullptr) {
    ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_DEL, socket, nullptr);
    readers_[index] = nullptr;
  }
}

void ReadableSockets::clear() {
  const auto readers = std::exchange(readers_, {});
  boost::system::error_code ignored;
  epoll_.close(ignored);
}

void ReadableSockets::wait() {
  if (std::exchange(coming_, true)) {
    return;
  }
  epoll_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                    [self = shared_from_this()](const boost::system::error_code& error) {
                      self->coming_ = false;
                      if (!error) {
                        self->visit();
                      }
                    });
}

void ReadableSockets::look_again() {
  if (std::exchange(coming_, true)) {
    return;
  }
  boost::asio::post(epoll_.get_executor(), [self = shared_from_this()] {
    self->coming_ = false;
    self->visit();
  });
}

// Fills in who is readable; waits for it a little while somebody is expected.
int ReadableSockets::ready(epoll_event* events, int max) {
  const int epoll = epoll_.native_handle();
  int count = ::epoll_wait(epoll, events, max, 0);
  if (!expected_) {
    awake_ = false;
    return count;
  }
  const Clock::time_point begin = now_();
  Clock::time_point now = begin;
  while (awake_ && count == 0 && now - begin < kAwake) {
    count = ::epoll_wait(epoll, events, max, 0);
    now = now_();
  }
  awake_ = count > 0 && now - last_found_ < kClose;
  if (count > 0) {
    last_found_ = now;
  }
  return count;
}

void ReadableSockets::visit() {
  std::array<epoll_event, kVisitsMax> events;
  const int count = ready(events.data(), kVisitsMax);
  const bool held = count > 0 && around_.before && around_.before();
  for (int i = 0; i < count; ++i) {
    // One that a visit before it has closed is not watched any more.
    const auto index = static_cast<size_t>(events[static_cast<size_t>(i)].data.fd);
    if (index < readers_.size() && readers_[index] != nullptr) {
      const std::shared_ptr<Reader> reader = readers_[index];
      reader->readable();
    }
  }
  if (held) {
    around_.behind();
  }
  if (!epoll_.is_open()) {
    return;
  }
  awake_ ? look_again() : wait();
}

}  // namespace kiwi::actors
