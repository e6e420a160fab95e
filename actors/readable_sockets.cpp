#include "actors/readable_sockets.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <sys/epoll.h>
#include <utility>

#include "base/check.hpp"

namespace kiwi::actors {

namespace {

// As many sockets are visited before other work of the loop gets its turn.
constexpr size_t kVisitsMax = 128;

int new_epoll() {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) {
    fatal("epoll_create1 failed: " + std::string(std::strerror(errno)));
  }
  return fd;
}

}  // namespace

ReadableSockets::ReadableSockets(boost::asio::io_context& io) : epoll_(io, new_epoll()) {}

bool ReadableSockets::watch(int socket, std::shared_ptr<Reader> reader) {
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
  if (std::exchange(waiting_, true)) {
    return;
  }
  epoll_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                    [self = shared_from_this()](const boost::system::error_code& error) {
                      self->waiting_ = false;
                      if (!error) {
                        self->visit();
                      }
                    });
}

void ReadableSockets::visit() {
  std::array<epoll_event, kVisitsMax> events;
  const int count = ::epoll_wait(epoll_.native_handle(), events.data(), kVisitsMax, 0);
  for (int i = 0; i < count; ++i) {
    // One that a visit before it has closed is not watched any more.
    const auto index = static_cast<size_t>(events[static_cast<size_t>(i)].data.fd);
    if (index < readers_.size() && readers_[index] != nullptr) {
      const std::shared_ptr<Reader> reader = readers_[index];
      reader->readable();
    }
  }
  if (epoll_.is_open()) {
    wait();
  }
}

}  // namespace kiwi::actors
