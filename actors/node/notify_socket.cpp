#include "actors/node/notify_socket.hpp"

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

#include "config/base/check.hpp"

namespace kiwi::actors {

namespace {

std::string taken_variable(const char* name) {
  const char* found = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): no other thread yet
  std::string value = found == nullptr ? "" : found;
  ::unsetenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value;
}

std::optional<int64_t> number_in(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && value > 0 ? std::optional(value) : std::nullopt;
}

}  // namespace

NotifySocket NotifySocket::of_environment() {
  NotifySocket out;
  std::string name = taken_variable("NOTIFY_SOCKET");
  const std::string watchdog = taken_variable("WATCHDOG_USEC");
  const std::string watched = taken_variable("WATCHDOG_PID");
  if (name.size() < 2 || name.size() >= sizeof(sockaddr_un::sun_path) ||
      (name[0] != '/' && name[0] != '@')) {
    return out;
  }
  out.fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (out.fd_ < 0) {
    return out;
  }
  if (name[0] == '@') {
    name[0] = '\0';
  }
  out.name_ = std::move(name);
  if (watched.empty() || number_in(watched) == ::getpid()) {
    out.watchdog_us_ = number_in(watchdog).value_or(0);
  }
  return out;
}

NotifySocket::NotifySocket(NotifySocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      name_(std::move(other.name_)),
      watchdog_us_(other.watchdog_us_) {}

NotifySocket::~NotifySocket() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

bool NotifySocket::send(const std::string& text) const {
  CHECK_INVARIANT(present());
  sockaddr_un address{};
  CHECK_INVARIANT(name_.size() < sizeof(address.sun_path));
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name_.data(), name_.size());
  // An abstract name has no end but its length; a path has the zero behind it.
  const size_t size = offsetof(sockaddr_un, sun_path) + name_.size() + (name_[0] == '\0' ? 0 : 1);
  const ssize_t sent =
      ::sendto(fd_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
               reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(size));
  return sent == static_cast<ssize_t>(text.size());
}

}  // namespace kiwi::actors
