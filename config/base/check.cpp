#include "config/base/check.hpp"

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

#include "config/base/log.hpp"

namespace kiwi {

void check_failed(const char* condition, const char* file, int line) {
  log_error(std::string("invariant broken: ") + condition + " at " + file + ":" +
            std::to_string(line));
  log_flush();
  std::fprintf(stderr, "kiwi: invariant broken: %s at %s:%d\n", condition, file, line);
  std::abort();
}

void fatal(std::string_view reason) {
  log_error(std::string("stopping: ") + std::string(reason));
  log_flush();
  std::fprintf(stderr, "kiwi: stopping: %.*s\n", static_cast<int>(reason.size()), reason.data());
  std::fflush(stderr);
  ::_exit(70);
}

}  // namespace kiwi
