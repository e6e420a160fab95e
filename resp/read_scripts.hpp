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
#include <unordered_set>

namespace kiwi::resp {

class ReadScripts {
 public:
  static constexpr size_t kScripts = 500;
  static constexpr size_t kBytes = size_t{4} << 20;

  // By the 40 digits of its SHA-1, in lower case.
  std::optional<std::string> find(std::string_view sha1_hex);
  // Of a script that the state knows now. What was only asked for is kept: it may be refused on its
  // way.
  void forget(std::string_view sha1_hex);
  void keep(std::string_view sha1_hex, std::string_view text);
  void clear();

  // That a script (by its digits), or a function (by its name, folded), which ran here says that it
  // does not write: EVALSHA and FCALL of it are sent as reads. Of a script that is so for ever; a
  // function may be replaced, so whoever executes the read looks again, and forgets what is wrong.
  enum class Kind : char { kScript = 's', kFunction = 'f' };
  static constexpr size_t kReaders = 4096;     // beyond it all are forgotten
  static constexpr size_t kReaderBytes = 128;  // of a name; longer ones are not known
  void keep_reader(Kind kind, std::string_view name);
  bool is_reader(Kind kind, std::string_view name);
  void forget_reader(Kind kind, std::string_view name);

 private:
  struct Script {
    std::string sha1_hex;
    std::string text;
  };

  std::mutex mutex_;
  std::list<Script> scripts_;  // used last first
  std::unordered_map<std::string, std::list<Script>::iterator> by_name_;
  size_t bytes_ = 0;
  std::unordered_set<std::string> readers_;  // the kind before the name
};

}  // namespace kiwi::resp
