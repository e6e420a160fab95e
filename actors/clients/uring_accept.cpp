// UringEngine: its listening sockets.
#include <cerrno>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "actors/clients/uring_engine.hpp"
#include "config/base/check.hpp"
#include "config/base/clock.hpp"
#include "config/base/log.hpp"

namespace kiwi::actors {

namespace {

// Out of descriptors, most likely: try again a little later instead of spinning.
constexpr int64_t kAcceptAgainUs = 100'000;

// One client's own, or none at all: the next one may be let in at once.
bool is_passing(int error) { return error == ECONNABORTED || error == EINTR || error == ECANCELED; }

void set_blocking(int fd, bool blocking) {
  const int flags = ::fcntl(fd, F_GETFL);
  ::fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

}  // namespace

void UringEngine::Door::close() {
  if (fd >= 0) {
    ::close(std::exchange(fd, -1));
  }
}

void UringEngine::accept(std::vector<int> listeners, Welcome welcome) {
  const auto shared = std::make_shared<const Welcome>(std::move(welcome));
  for (const int fd : listeners) {
    CHECK_INVARIANT(fd >= 0);
    set_blocking(fd, true);  // of one that does not block the kernel would say that nobody is there
    doors_.push_back(std::make_shared<Door>());
    doors_.back()->fd = fd;
    doors_.back()->welcome = shared;
    open_door(doors_.size() - 1);
  }
}

void UringEngine::open_door(size_t index) {
  Door& door = *doors_.at(index);
  if (ring_ && door.fd >= 0 && !door.accepting) {
    door.accepting = true;
    ring_->accept(door.fd, make_tag(index, Kind::kAccept));
    watch_door(index, true);
    will_submit();
  }
}

// Who could not be let in stands there still, and would ring again and again.
void UringEngine::shut_door(size_t index, int error) {
  log_warning("accepting a client failed: " + std::string(std::strerror(error)));
  CHECK_INVARIANT(doors_.at(index)->shut_us == 0);
  doors_[index]->shut_us = boot_clock_us();
  ++shut_doors_;
  watch_door(index, false);
}

void UringEngine::open_doors_again() {
  const int64_t now_us = boot_clock_us();
  for (size_t i = 0; i < doors_.size(); ++i) {
    if (doors_[i]->shut_us != 0 && now_us - doors_[i]->shut_us >= kAcceptAgainUs) {
      doors_[i]->shut_us = 0;
      CHECK_INVARIANT(shut_doors_ > 0);
      --shut_doors_;
      open_door(i);
    }
  }
}

void UringEngine::let_in(const Door& door, int socket) {
  try {
    (*door.welcome)(socket);
  } catch (const std::exception& thrown) {  // no memory for one more
    log_warning("a client was turned away: " + std::string(thrown.what()));
  }
}

// Whom the kernel has let in and the request has not.
void UringEngine::let_in_the_rest(const Door& door) {
  set_blocking(door.fd, false);
  for (;;) {
    const int socket = ::accept4(door.fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket >= 0) {
      let_in(door, socket);
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;
    }
  }
}

void UringEngine::accepted(const Uring::Done& done) {
  const size_t index = index_of(done.tag);
  const std::shared_ptr<Door> door = doors_.at(index);
  if (done.result >= 0) {
    let_in(*door, done.result);
  }
  if (done.more) {
    return;
  }
  door->accepting = false;
  if (door->fd < 0 || door->closing) {
    return;
  }
  if (done.result < 0 && !is_passing(-done.result)) {
    shut_door(index, -done.result);
  } else {
    open_door(index);
  }
}

void UringEngine::stop_accepting() {
  if (!ring_) {
    return;
  }
  for (size_t i = 0; i < doors_.size(); ++i) {
    doors_[i]->closing = true;
    if (doors_[i]->accepting) {
      ring_->cancel(make_tag(i, Kind::kAccept));
    }
  }
  (void)take(true, kPiecesOfLook);  // whom the request has let in
  for (const std::shared_ptr<Door>& door : doors_) {
    if (door->fd >= 0) {
      let_in_the_rest(*door);
      door->close();
    }
  }
  shut_doors_ = 0;
  flush();
  rest();
}

}  // namespace kiwi::actors
