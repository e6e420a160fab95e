#include "actors/clients/readable_sockets.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <sys/epoll.h>
#include <unistd.h>
#include <utility>

#include <boost/asio/post.hpp>

#include "config/base/check.hpp"

namespace kiwi::actors {

namespace {

// As many sockets are visited before other work of the loop gets its turn.
constexpr int kVisitsMax = 128;
// And so many times as many when a commit was waited for: all of them should be in the next group,
// if that is possible.
constexpr int kLooksMax = 8;
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
    : fd_(new_epoll()), epoll_(io, fd_), around_(std::move(around)), now_(std::move(now)) {}

ReadableSockets::~ReadableSockets() {
  if (fd_ >= 0 && !epoll_.is_open()) {
    ::close(fd_);  // otherwise Asio does
  }
}

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
  if (::epoll_ctl(fd_, EPOLL_CTL_ADD, socket, &event) != 0) {
    return false;
  }
  readers_[index] = std::move(reader);
  wait();
  return true;
}

void ReadableSockets::unwatch(int socket) {
  const auto index = static_cast<size_t>(socket);
  if (index < readers_.size() && readers_[index] != nullptr) {
    ::epoll_ctl(fd_, EPOLL_CTL_DEL, socket, nullptr);
    readers_[index] = nullptr;
  }
}

void ReadableSockets::clear() {
  const auto readers = std::exchange(readers_, {});
  let_go();
  if (fd_ >= 0) {
    ::close(std::exchange(fd_, -1));
  }
}

void ReadableSockets::let_go() {
  if (epoll_.is_open()) {
    epoll_.release();
  }
  if (coming_ == Coming::kWithEvent) {
    coming_ = Coming::kNo;
  }
}

void ReadableSockets::hold(bool held) {
  if (std::exchange(held_, held) == held || fd_ < 0) {
    return;
  }
  if (!held) {
    look_again();
  } else if (crowded_) {
    let_go();
  }
}

void ReadableSockets::wait() {
  if (coming_ != Coming::kNo) {
    return;
  }
  if (held_ && crowded_) {
    let_go();
    return;
  }
  if (!epoll_.is_open()) {
    boost::system::error_code error;
    epoll_.assign(fd_, error);
    if (error) {
      fatal("the client loop cannot watch its sockets: " + error.message());
    }
  }
  coming_ = Coming::kWithEvent;
  epoll_.async_wait(
      boost::asio::posix::stream_descriptor::wait_read,
      [self = shared_from_this(), number = ++waits_](const boost::system::error_code& error) {
        if (!error && number == self->waits_ && self->coming_ == Coming::kWithEvent) {
          self->coming_ = Coming::kNo;
          self->woken();
        }
      });
}

void ReadableSockets::woken() {
  if (held_) {
    crowded_ = true;
    let_go();
  } else {
    visit();
  }
}

void ReadableSockets::look_again() {
  if (coming_ != Coming::kNo) {
    return;
  }
  coming_ = Coming::kPosted;
  boost::asio::post(epoll_.get_executor(), [self = shared_from_this()] {
    self->coming_ = Coming::kNo;
    if (self->fd_ < 0) {
      return;
    }
    self->held_ ? self->wait() : self->visit();
  });
}

// Fills in who is readable; waits for it a little while somebody is expected.
int ReadableSockets::ready(epoll_event* events, int max) {
  int count = ::epoll_wait(fd_, events, max, 0);
  if (!expected_) {
    awake_ = false;
    return count;
  }
  const Clock::time_point begin = now_();
  Clock::time_point now = begin;
  while (awake_ && count == 0 && now - begin < kAwake) {
    count = ::epoll_wait(fd_, events, max, 0);
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
  visit(events.data(), ready(events.data(), kVisitsMax));
  if (fd_ >= 0) {
    awake_ ? look_again() : wait();
  }
}

void ReadableSockets::visit(const epoll_event* events, int count) {
  const bool around = count > 0 && around_.before && around_.before();
  for (int i = 0; i < count; ++i) {
    // One that a visit before it has closed is not watched any more.
    const auto index = static_cast<size_t>(events[i].data.fd);
    if (index < readers_.size() && readers_[index] != nullptr) {
      const std::shared_ptr<Reader> reader = readers_[index];
      reader->readable();
    }
  }
  if (around) {
    around_.behind();
  }
}

void ReadableSockets::look() {
  if (!held_ || coming_ != Coming::kNo) {
    return;  // nobody came
  }
  std::array<epoll_event, kVisitsMax> events;
  bool found = false;
  for (int i = 0; i < kLooksMax && fd_ >= 0; ++i) {
    const int count = ::epoll_wait(fd_, events.data(), kVisitsMax, 0);
    found = found || count > 0;
    visit(events.data(), count);
    if (count < kVisitsMax) {
      break;
    }
  }
  looks_ += found ? 1 : 0;
  crowded_ = found;
}

}  // namespace kiwi::actors
