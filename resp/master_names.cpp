#include "resp/master_names.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "resp/command_docs.hpp"

namespace kiwi::resp {

bool MasterNames::is_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytes &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

void MasterNames::configure(std::string_view words) {
  configured_.clear();
  for (const std::string_view word : split(words, " ")) {
    if (is_name(word) && !is_configured(word) && configured_.size() < kNames) {
      configured_.emplace_back(word);
    }
  }
  std::erase_if(asked_, [this](const std::string& name) { return is_configured(name); });
}

bool MasterNames::is_configured(std::string_view name) const {
  return std::ranges::find(configured_, name) != configured_.end();
}

bool MasterNames::touch(std::string_view name) {
  if (!is_name(name)) {
    return false;
  }
  if (is_configured(name)) {
    return true;
  }
  const auto found = std::ranges::find(asked_, name);
  if (found != asked_.end()) {
    std::rotate(found, found + 1, asked_.end());
    return true;
  }
  if (configured_.size() >= kNames) {
    return false;
  }
  while (configured_.size() + asked_.size() >= kNames) {
    asked_.erase(asked_.begin());
  }
  asked_.emplace_back(name);
  news_ = true;
  CHECK_INVARIANT(configured_.size() + asked_.size() <= kNames);
  return true;
}

bool MasterNames::take_news() { return std::exchange(news_, false); }

std::vector<std::string> MasterNames::all() const {
  std::vector<std::string> names = configured_;
  names.insert(names.end(), asked_.begin(), asked_.end());
  return names;
}

}  // namespace kiwi::resp
