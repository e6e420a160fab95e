#include "config/base/failpoint.hpp"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <unistd.h>

namespace kiwi {

void failpoint(const char* name) {
  const char* wanted = std::getenv("KIWI_FAILPOINT");  // NOLINT(concurrency-mt-unsafe): never set
  if (wanted == nullptr) {
    return;
  }
  const std::string_view text(wanted);
  const size_t name_end = text.find_first_of(":@");
  if (text.substr(0, name_end) != name) {
    return;
  }
  const size_t at = text.find('@');
  if (at != std::string_view::npos && ::access(wanted + at + 1, F_OK) != 0) {
    return;
  }
  const size_t colon = text.substr(0, at).find(':');
  static std::atomic<unsigned long> reached{0};
  const unsigned long count =
      colon == std::string_view::npos ? 1 : std::strtoul(wanted + colon + 1, nullptr, 10);
  if (++reached >= count) {
    constexpr char kSentence[] = "kiwi: KIWI_FAILPOINT reached, the process dies here\n";
    (void)!::write(STDERR_FILENO, kSentence, sizeof kSentence - 1);
    ::_exit(kFailpointStatus);
  }
}

}  // namespace kiwi
