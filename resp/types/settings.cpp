#include "resp/types/settings.hpp"

#include <charconv>

#include "config/base/check.hpp"
#include "config/base/decimal.hpp"
#include "config/setting.hpp"
#include "rocks/keys.hpp"

namespace kiwi::resp {

using rocks::Family;
namespace keys = rocks::keys;

void Settings::load(rocks::Reader& state) {
  values_.clear();
  std::string from;
  std::string to;
  keys::setting_range(from, to);
  for (auto at = state.cursor(Family::kSystem, from, to); at->valid(); at->next()) {
    const std::string_view name = keys::setting_name(at->key());
    if (name.empty()) {
      fatal("a setting in the state database is corrupt; replace this node's data");
    }
    values_.emplace(name, at->value());
  }
  read_version();
}

void Settings::load_for_reads(rocks::Reader& view) {
  for (std::string_view name : {config::kClusterVersionSetting, config::kLuaStepsMaxSetting}) {
    keys::setting(key_, name);
    if (const auto value = view.get(Family::kSystem, key_)) {
      values_.emplace(name, *value);
    }
  }
  read_version();
}

void Settings::read_version() {
  const auto found = values_.find(config::kClusterVersionSetting);
  version_ = 1;
  if (found == values_.end()) {
    return;
  }
  const std::string& text = found->second;
  const char* end = text.data() + text.size();
  const auto [stop, failed] = std::from_chars(text.data(), end, version_);
  if (failed != std::errc() || stop != end || version_ == 0) {
    fatal("the cluster version in the state database is corrupt; replace this node's data");
  }
}

bool Settings::says_no(std::string_view name) const {
  const auto found = values_.find(name);
  return found != values_.end() && found->second == "no";
}

std::string_view Settings::value(std::string_view name) const {
  const auto found = values_.find(name);
  return found != values_.end() ? std::string_view(found->second) : std::string_view();
}

// As setting_of() let it in; until somebody says it, what the option's default says.
int64_t Settings::number(std::string_view name, int64_t unless_set) const {
  const auto found = values_.find(name);
  if (found == values_.end()) {
    return unless_set;
  }
  const std::optional<int64_t> number = parse_decimal(found->second);
  if (!number || *number < 0) {
    fatal(std::string(name) + " in the state database is corrupt; replace this node's data");
  }
  return *number;
}

uint64_t Settings::lua_steps_max() const {
  const int64_t steps = number(config::kLuaStepsMaxSetting, config::kLuaStepsMax);
  if (steps == 0) {
    fatal("lua-steps-max in the state database is corrupt; replace this node's data");
  }
  return static_cast<uint64_t>(steps);
}

void Settings::put(std::string_view name, std::string_view value) {
  const auto found = values_.find(name);
  if (effects_.marked()) {
    before_.emplace_back(
        name, found == values_.end() ? std::nullopt : std::optional<std::string>(found->second));
  }
  keys::setting(key_, name);
  effects_.put(Family::kSystem, key_, value);
  values_.insert_or_assign(std::string(name), std::string(value));
  ++changes_;
}

void Settings::raise_cluster_version() {
  put(config::kClusterVersionSetting, std::to_string(version_ + 1));
  read_version();
}

void Settings::undo_to(size_t mark) {
  if (before_.size() == mark) {
    return;
  }
  for (; before_.size() > mark; before_.pop_back()) {
    auto& [name, value] = before_.back();
    if (value) {
      values_[name] = std::move(*value);
    } else {
      values_.erase(name);
    }
  }
  ++changes_;
  read_version();
}

}  // namespace kiwi::resp
