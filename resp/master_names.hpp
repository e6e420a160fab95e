// The names under which Sentinel's clients know the cluster: those that are configured
// (sentinel-master-names), and any other that one asked for, since events and MASTERS must carry
// the client's own name. Plain class, owned by NodeContext; client loop.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace kiwi::resp {

class MasterNames {
 public:
  static constexpr size_t kNames = 64;       // in all; the one that was asked for longest ago goes
  static constexpr size_t kNameBytes = 128;  // of one

  // Events are words with spaces between them.
  static bool is_name(std::string_view text);

  // The configured ones, as the option has them: words. They never go.
  void configure(std::string_view words);
  // Somebody asked for it, here or at another node. False: it is no name.
  bool touch(std::string_view name);
  // `touch()` brought a name that was not known, since the last call: other nodes are told.
  bool take_news();

  std::vector<std::string> all() const;  // the configured ones first, each once
  std::vector<std::string> asked_for() const { return asked_; }

 private:
  bool is_configured(std::string_view name) const;

  std::vector<std::string> configured_;
  std::vector<std::string> asked_;  // the last one asked for last
  bool news_ = false;
};

}  // namespace kiwi::resp
