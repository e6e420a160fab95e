// The socket of the service manager that started this process (NOTIFY_SOCKET, as sd_notify(3)
// describes it): systemd, or whoever speaks as it does. Never waits. Owned by Node, client loop.
#pragma once

#include <cstdint>
#include <string>

namespace kiwi::actors {

class NotifySocket {
 public:
  // Takes the variables out of the environment; before there are other threads. Without them, or
  // if they name what cannot be, nobody is told.
  static NotifySocket of_environment();

  NotifySocket() = default;
  NotifySocket(NotifySocket&& other) noexcept;
  NotifySocket& operator=(NotifySocket&&) = delete;
  ~NotifySocket();

  bool present() const { return fd_ >= 0; }
  // The process is ended when it said nothing for so many microseconds; 0: nobody looks.
  int64_t watchdog_us() const { return watchdog_us_; }
  // Lines NAME=value. False: it was not taken, say it again later.
  bool send(const std::string& text) const;

 private:
  int fd_ = -1;
  std::string name_;  // a path; behind a zero byte one of the abstract names
  int64_t watchdog_us_ = 0;
};

}  // namespace kiwi::actors
