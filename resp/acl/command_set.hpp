// Which commands somebody may run: a bit for each row of the table, and first words that are
// allowed of commands that are not. Plain; a value.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "resp/command.hpp"

namespace kiwi::resp::acl {

// The place of a row in all_commands().
size_t place_of(const CommandSpec& row);

// "get", "config|get" in any case; nullptr: there is none for clients in a cluster of this version.
const CommandSpec* command_named(std::string_view name, uint32_t cluster_version);

// The bit of a category without its @, in any case; 0: there is none.
uint32_t category_named(std::string_view name);

class CommandSet {
 public:
  void allow_all();  // also what later builds will have
  void deny_all();
  // A container with all its sub-commands.
  void change(const CommandSpec& row, bool allow);
  void change_category(uint32_t bit, bool allow);
  // `word` as first argument of a row that has no sub-commands.
  void allow_first_word(const CommandSpec& row, std::string_view word);

  bool has(const CommandSpec& row) const { return allowed_[place_of(row)]; }
  bool has_all() const;
  bool may_run(const CommandSpec& row, Args argv) const;
  bool may_run_some(const CommandSpec& row) const {  // with some arguments
    return has(row) || first_words_.contains(place_of(row));
  }

  // Rules that make this of nothing, as Redis puts them: +@all or -@all, then the categories that
  // fit best, then single commands.
  std::string describe() const;

 private:
  static constexpr size_t kPlaces = 1024;  // above the rows of any table

  struct Fit {
    size_t on = 0;
    size_t off = 0;
  };
  Fit fit(uint32_t category) const;
  int best_category(const std::vector<bool>& applied, bool additive) const;
  void describe_row(const CommandSpec& row, CommandSet& so_far, std::string& out) const;

  std::bitset<kPlaces> allowed_;
  bool future_ = false;
  std::map<size_t, std::vector<std::string>> first_words_;  // by place
};

}  // namespace kiwi::resp::acl
