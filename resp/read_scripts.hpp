// Scripts that this node ran as reads: those cannot enter the script cache, which is a part of the
// state. EVALSHA_RO asks here after it asked the state. The ones used least recently go.
//
// Any thread: reads on views use it, too. Nothing that entries leave behind may depend on it.
#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace kiwi::resp {

class ReadScripts {
 public:
  static constexpr size_t kScripts = 500;
  static constexpr size_t kBytes = size_t{4} << 20;

  // By the 40 digits of its SHA-1, in lower case.
  std::optional<std::string> find(std::string_view sha1_hex);
  // The same, and forgets it: whoever asks makes it known to the state.
  std::optional<std::string> take(std::string_view sha1_hex);
  void keep(std::string_view sha1_hex, std::string_view text);
  void clear();

 private:
  struct Script {
    std::string sha1_hex;
    std::string text;
  };

  std::mutex mutex_;
  std::list<Script> scripts_;  // used last first
  std::unordered_map<std::string, std::list<Script>::iterator> by_name_;
  size_t bytes_ = 0;
};

}  // namespace kiwi::resp
