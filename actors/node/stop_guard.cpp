#include "actors/node/stop_guard.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <poll.h>
#include <string>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>

#include "config/base/log.hpp"

namespace kiwi::actors {

namespace {

constexpr int kEndedEarly = 1;

// What a signal handler may touch.
std::atomic<int> wake_fd{-1};
std::atomic<int> further_signals{0};

void further_signal(int) {
  const int saved = errno;
  if (further_signals.fetch_add(1) > 0) {
    ::_exit(kEndedEarly);
  }
  const uint64_t one = 1;
  const ssize_t ignored = ::write(wake_fd.load(), &one, sizeof(one));
  static_cast<void>(ignored);
  errno = saved;
}

[[noreturn]] void watch(std::chrono::milliseconds patience) {
  pollfd waiting{wake_fd.load(), POLLIN, 0};
  int ready = 0;
  const auto until = std::chrono::steady_clock::now() + patience;
  do {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    ready = ::poll(&waiting, 1, static_cast<int>(std::max<int64_t>(0, left.count())));
  } while (ready < 0 && errno == EINTR);
  const std::string kept = "; what was acknowledged is in the log, the next start reads it";
  log_warning(ready > 0 ? "a second signal to stop: ended at once" + kept
                        : "not stopped after " + std::to_string(patience.count()) +
                              " ms, something hangs: ended" + kept);
  log_flush();
  std::_Exit(kEndedEarly);
}

}  // namespace

void StopGuard::arm(std::chrono::milliseconds patience) {
  if (armed_) {
    return;
  }
  armed_ = true;
  wake_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct sigaction action {};
  action.sa_handler = further_signal;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  std::thread([patience] { watch(patience); }).detach();
}

}  // namespace kiwi::actors
