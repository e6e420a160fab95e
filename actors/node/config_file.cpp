#include "actors/node/config_file.hpp"

#include <cerrno>
#include <cstring>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include "config/base/check.hpp"
#include "config/base/log.hpp"
#include "config/limits.hpp"
#include "config/rewrite.hpp"
#include "rocks/files.hpp"

namespace kiwi::actors {

namespace {

constexpr uint64_t kFileBytesMax = 4 * config::limits::kMiB;  // a longer one is not read at a start

// What a crash left would keep its own mode, and a link would lead elsewhere.
void remove_leftover(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) == 0 && (S_ISREG(found.st_mode) || S_ISLNK(found.st_mode))) {
    ::unlink(path.c_str());
  }
}

}  // namespace

Result<void> rewrite_config_file(const config::Options& options) {
  const std::string& path = options.config_file;
  CHECK_INVARIANT(!path.empty());
  struct stat found {};
  std::string before;
  mode_t mode = 0600;
  if (::stat(path.c_str(), &found) == 0) {
    if (!S_ISREG(found.st_mode) || static_cast<uint64_t>(found.st_size) > kFileBytesMax) {
      return Error{Errc::kInvalid, path + " is no configuration file any more"};
    }
    Result<std::string> text = rocks::read_whole_file(path);
    if (!text) {
      return text.error();
    }
    before = std::move(*text);
    mode = found.st_mode & 0777;
    if (config::adds_secret(before, options) && (mode & 0077) != 0) {
      mode &= 0600;
      log_notice(path + " holds a password from now on, so only its owner may read and write it");
    }
  } else if (errno != ENOENT) {  // as in Redis, a file that is gone is written anew
    return Error{Errc::kIo, "cannot read " + path + ": " + std::strerror(errno)};
  }
  remove_leftover(path + ".new");
  return rocks::write_file_durably(path, config::rewritten_config(before, options), mode);
}

}  // namespace kiwi::actors
