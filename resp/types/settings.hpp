// The cluster's settings as records of the state (system family, tag G): name -> text. They are
// changed by entries, so apply may read them (F35); what the texts mean is config/'s
// (cluster_settings.hpp). Few and small, so all of them are in memory.
//
// Owned by the Database, which undoes them with the command that changed them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "resp/types/effects.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::resp {

class Settings {
 public:
  using Values = std::map<std::string, std::string, std::less<>>;

  explicit Settings(Effects& effects) : effects_(effects) {}
  void load(rocks::Reader& state);
  void load_for_reads(rocks::Reader& view);  // what reads on a view ask for, and no more

  // What entries from the next one on may hold (config/version.hpp).
  uint32_t cluster_version() const { return version_; }
  bool seeded() const { return values_.contains(kSeeded); }
  // By name; the mark that says that they were seeded is one of them.
  const Values& values() const { return values_; }
  bool says_no(std::string_view name) const;  // one that is yes or no; yes until it was set
  std::string_view value(std::string_view name) const;              // empty until it was set
  int64_t number(std::string_view name, int64_t unless_set) const;  // of an option that is one
  uint64_t lua_steps_max() const;                                   // what one script may do
  uint64_t changes() const { return changes_; }  // grows with each, and when one is taken back

  void put(std::string_view name, std::string_view value);
  void raise_cluster_version();  // by one
  void seed() { put(kSeeded, "yes"); }

  // ---- undo: as of rocks::Writer, whose records go back by themselves
  size_t mark() const { return before_.size(); }
  void undo_to(size_t mark);
  void keep_all() { before_.clear(); }

 private:
  static constexpr std::string_view kSeeded = "seeded";  // no option is called so

  void read_version();

  Effects& effects_;
  Values values_;
  uint32_t version_ = 1;
  uint64_t changes_ = 0;
  std::vector<std::pair<std::string, std::optional<std::string>>> before_;  // the oldest first
  std::string key_;                                                         // a buffer
};

}  // namespace kiwi::resp
