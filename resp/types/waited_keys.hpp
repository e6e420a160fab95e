// Which keys changed that somebody of this node waits for. Database reports every key that is made,
// grows, changes or goes, so that no command can forget to; what is not waited for costs one look.
// Names only: databases change places, and a report too many costs its reader one look.
//
// It is no part of the state: nothing that is applied depends on it.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "config/base/check.hpp"

namespace kiwi::resp {

class WaitedKeys {
 public:
  struct Changes {
    std::set<std::string, std::less<>> names;
    bool all = false;  // databases changed places, or lost all they had
  };

  // ---- who waits. As often forgotten as wanted.
  void want(std::string_view name) {
    if (const auto it = wanted_.find(name); it != wanted_.end()) {
      ++it->second;
    } else {
      wanted_.emplace(name, 1);
    }
  }
  void forget(std::string_view name) {
    const auto it = wanted_.find(name);
    CHECK_INVARIANT(it != wanted_.end() && it->second != 0);
    if (--it->second == 0) {
      wanted_.erase(it);
    }
  }

  // ---- what happened
  void changed(std::string_view name) {
    if (!wanted_.empty() && wanted_.contains(name)) {
      changes_.names.emplace(name);
    }
  }
  void all_changed() { changes_.all = !wanted_.empty(); }
  Changes take() { return std::exchange(changes_, {}); }

 private:
  // Ordered: clients choose the names (F63).
  std::map<std::string, size_t, std::less<>> wanted_;
  Changes changes_;
};

}  // namespace kiwi::resp
