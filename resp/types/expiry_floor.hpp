// Where the search for keys that are due goes on: below it nothing is due that is not under way
// already. A hint that each node has for itself and no part of the state: what is found is looked
// at again by the entry that removes it (F8), and whoever does not trust it forgets it.
//
// Owned by the Database. Keys are those of the expiry index (rocks/keys.hpp), in the order of
// deadlines.
#pragma once

#include <string>
#include <string_view>

namespace kiwi::resp {

class ExpiryFloor {
 public:
  const std::string& key() const { return key_; }
  void found(std::string_view key) { key_.assign(key).push_back('\0'); }  // goes on behind it
  // Is there, whatever was found before: it came later, or was not over yet.
  void is_there(std::string_view key) {
    if (key < key_) {
      key_.assign(key);
    }
  }
  void forget() { key_.clear(); }

 private:
  std::string key_;
};

}  // namespace kiwi::resp
