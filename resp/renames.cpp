#include "resp/renames.hpp"

#include <algorithm>
#include <set>

#include "config/base/check.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace {

Error invalid(std::string text) { return Error{Errc::kInvalid, std::move(text)}; }

bool is_command(std::string_view name) {
  const CommandSpec* row = find_command(name);
  return row != nullptr && !row->is_internal();
}

}  // namespace

Result<void> check_renames(const RenamedCommands& renamed) {
  std::set<std::string_view> old_names;
  for (const auto& [name, to] : renamed) {
    if (!is_command(name) || !old_names.insert(name).second) {
      return invalid("rename-command " + name + ": there is no such command, or no more");
    }
  }
  std::set<std::string_view> new_names;
  for (const auto& [name, to] : renamed) {
    if (to.empty()) {
      continue;
    }
    const bool taken = find_command(to) != nullptr && !old_names.contains(to);
    if (taken || !new_names.insert(to).second) {
      return invalid("rename-command " + name + " " + to + ": that name is another command's");
    }
  }
  return {};
}

Renames::Renames(const RenamedCommands& renamed) {
  for (const auto& [name, to] : renamed) {
    real_.try_emplace(name);
  }
  for (const auto& [name, to] : renamed) {
    if (!to.empty()) {
      real_[to] = name;
    }
  }
  CHECK_INVARIANT(real_.size() >= renamed.size());
}

std::optional<std::string_view> Renames::real_name(std::string_view said) const {
  std::string lower(said);
  std::ranges::transform(lower, lower.begin(), lower_case);
  const auto found = real_.find(lower);
  if (found == real_.end()) {
    return said;
  }
  return found->second.empty() ? std::nullopt : std::optional<std::string_view>(found->second);
}

}  // namespace kiwi::resp
