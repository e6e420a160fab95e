// rename-command: other names for commands, on this node and for its clients only. The log, scripts
// and ACL know the real ones. Plain.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/base/result.hpp"
#include "resp/command.hpp"

namespace kiwi::resp {

using RenamedCommands = std::vector<std::pair<std::string, std::string>>;  // lower case; "" = none

// They are commands, and their new names are nobody's.
Result<void> check_renames(const RenamedCommands& renamed);

class Renames {
 public:
  Renames() = default;
  explicit Renames(const RenamedCommands& renamed);  // that were checked

  bool any() const { return !real_.empty(); }
  // What is meant by it; nullopt: nothing, it is the old name of a command that has another one.
  std::optional<std::string_view> real_name(std::string_view said) const;

 private:
  // Of each new name and each old one: what is meant; empty: nothing.
  std::map<std::string, std::string, std::less<>> real_;
};

}  // namespace kiwi::resp
