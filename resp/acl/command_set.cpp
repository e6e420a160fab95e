#include "resp/acl/command_set.hpp"

#include <algorithm>
#include <limits>

#include "config/base/check.hpp"
#include "resp/command_docs.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::acl {

namespace {

bool is_sub_of(const CommandSpec& row, const CommandSpec& container) {
  const size_t prefix = container.name.size();
  return row.name.size() > prefix && row.name[prefix] == '|' &&
         row.name.starts_with(container.name);
}

bool same_any_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower_case(x) == lower_case(y); });
}

// Calls visit(row) for what clients may say; a container comes before its sub-commands.
template <class Visit>
void for_each_command(Visit visit) {
  for (const CommandSpec& row : all_commands()) {
    if (row.is_internal() || row.is_subcommand()) {
      continue;
    }
    visit(row);
    if ((row.flags & kContainer) == 0) {
      continue;
    }
    for (const CommandSpec& sub : all_commands()) {
      if (is_sub_of(sub, row)) {
        visit(sub);
      }
    }
  }
}

}  // namespace

size_t place_of(const CommandSpec& row) {
  const auto place = static_cast<size_t>(&row - all_commands().data());
  CHECK_INVARIANT(place < all_commands().size());
  return place;
}

const CommandSpec* command_named(std::string_view name, uint32_t cluster_version) {
  const size_t bar = name.find('|');
  const CommandSpec* row = find_command(name.substr(0, bar));
  if (row == nullptr || row->is_internal() || row->cluster_version > cluster_version) {
    return nullptr;
  }
  if (bar == std::string_view::npos) {
    return row;
  }
  const CommandSpec* sub =
      (row->flags & kContainer) != 0 ? find_subcommand(*row, name.substr(bar + 1)) : nullptr;
  return sub != nullptr && sub->cluster_version <= cluster_version ? sub : nullptr;
}

uint32_t category_named(std::string_view name) {
  const auto names = acl_names();
  const auto found =
      std::ranges::find_if(names, [&](std::string_view each) { return same_word(name, each); });
  return found == names.end() ? 0 : 1u << static_cast<unsigned>(found - names.begin());
}

void CommandSet::allow_all() {
  allowed_.set();
  future_ = true;
  first_words_.clear();
}

void CommandSet::deny_all() {
  allowed_.reset();
  future_ = false;
  first_words_.clear();
}

void CommandSet::change(const CommandSpec& row, bool allow) {
  CHECK_INVARIANT(all_commands().size() <= kPlaces);
  allowed_[place_of(row)] = allow;
  first_words_.erase(place_of(row));
  if ((row.flags & kContainer) == 0) {
    return;
  }
  for (const CommandSpec& sub : all_commands()) {
    if (is_sub_of(sub, row)) {
      allowed_[place_of(sub)] = allow;
    }
  }
}

void CommandSet::change_category(uint32_t bit, bool allow) {
  for (const CommandSpec& row : all_commands()) {
    if (!row.is_internal() && (row.acl_categories & bit) != 0) {
      change(row, allow);
    }
  }
}

void CommandSet::allow_first_word(const CommandSpec& row, std::string_view word) {
  CHECK_INVARIANT((row.flags & kContainer) == 0 && !row.is_subcommand());
  std::vector<std::string>& words = first_words_[place_of(row)];
  if (std::ranges::none_of(words, [&](const std::string& w) { return same_any_case(w, word); })) {
    words.emplace_back(word);
  }
}

bool CommandSet::has_all() const { return future_ && allowed_.all(); }

bool CommandSet::may_run(const CommandSpec& row, Args argv) const {
  if (has(row)) {
    return true;
  }
  if (argv.size() < 2 || first_words_.empty()) {
    return false;
  }
  const auto words = first_words_.find(place_of(row));
  return words != first_words_.end() &&
         std::ranges::any_of(words->second,
                             [&](const std::string& word) { return same_any_case(word, argv[1]); });
}

// ---------------------------------------------------------------- description

CommandSet::Fit CommandSet::fit(uint32_t category) const {
  Fit fit;
  for (const CommandSpec& row : all_commands()) {
    if (!row.is_internal() && (row.acl_categories & category) != 0) {
      ++(has(row) ? fit.on : fit.off);
    }
  }
  return fit;
}

// One that has more in common with what is left than not, the one with the fewest exceptions first;
// -1: there is none.
int CommandSet::best_category(const std::vector<bool>& applied, bool additive) const {
  int best = -1;
  size_t fewest = std::numeric_limits<size_t>::max();
  size_t most = 0;
  for (size_t bit = 0; bit < applied.size(); ++bit) {
    if (applied[bit]) {
      continue;
    }
    const Fit now = fit(1u << bit);
    const size_t other = additive ? now.off : now.on;
    const size_t same = additive ? now.on : now.off;
    if (same > other && (other < fewest || (other == fewest && same > most))) {
      best = static_cast<int>(bit);
      fewest = other;
      most = same;
    }
  }
  return best;
}

void CommandSet::describe_row(const CommandSpec& row, CommandSet& so_far, std::string& out) const {
  const bool allowed = has(row);
  if (allowed != so_far.has(row)) {
    out += allowed ? " +" : " -";
    out += row.name;
    so_far.change(row, allowed);
  }
  const auto words = first_words_.find(place_of(row));
  if (allowed || words == first_words_.end()) {
    return;
  }
  for (const std::string& word : words->second) {
    out += " +";
    out += row.name;
    out += "|" + word;
  }
}

std::string CommandSet::describe() const {
  const bool additive = !future_;
  CommandSet so_far;
  CommandSet left = *this;
  std::string out = additive ? "-@all" : "+@all";
  if (!additive) {
    so_far.allow_all();
  }
  std::vector<bool> applied(acl_names().size());
  for (int bit = left.best_category(applied, additive); bit >= 0;
       bit = left.best_category(applied, additive)) {
    const auto category = static_cast<size_t>(bit);
    CHECK_INVARIANT(!applied[category]);
    out += additive ? " +@" : " -@";
    out += acl_names()[category];
    so_far.change_category(1u << category, additive);
    left.change_category(1u << category, !additive);
    applied[category] = true;
  }
  for_each_command([&](const CommandSpec& row) { describe_row(row, so_far, out); });
  CHECK_INVARIANT(so_far.allowed_ == allowed_);  // else the text would give other rights
  return out;
}

}  // namespace kiwi::resp::acl
