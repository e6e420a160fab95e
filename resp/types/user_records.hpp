// The users of ACL as a part of the state (system family, tag U): name -> number and rights. What
// the rights say is resp/acl/'s; here they are bytes. Few and small, so all of them are in memory.
//
// Owned by the Database, which undoes them with the command that changed them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "resp/types/effects.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::resp {

struct UserRecord {
  uint64_t id = 0;     // 1 is the user `default`; never given to another
  std::string rights;  // resp/acl/user.hpp
};

class UserRecords {
 public:
  // Part of what entries mean, so constants.
  static constexpr size_t kCount = 10'000;
  static constexpr uint64_t kBytes = uint64_t{8} << 20;  // names and rights
  static constexpr std::string_view kDefault = "default";
  static constexpr uint64_t kDefaultId = 1;

  using Record = std::shared_ptr<const UserRecord>;  // changed by being replaced
  using ByName = std::map<std::string, Record, std::less<>>;

  explicit UserRecords(Effects& effects) : effects_(effects) {}
  void load(rocks::Reader& state);

  const ByName& by_name() const { return by_name_; }
  Record find(std::string_view name) const;  // nullptr: there is none
  // Who may log in is said by the state; before, by each node's options.
  bool seeded() const { return by_name_.contains(kDefault); }
  // Of the state: the same on every node, and another one after each change.
  uint64_t version() const { return total_.version; }
  // Of this process: also when a change is taken back.
  uint64_t changes() const { return changes_; }

  // A user who is new gets a number. False: there is no room.
  bool put(std::string_view name, std::string_view rights);
  void erase(std::string_view name);  // requires that it exists

  // ---- undo: as of rocks::Writer, whose records go back by themselves
  size_t mark() const { return before_.size(); }
  void undo_to(size_t mark);
  void keep_all() { before_.clear(); }

 private:
  struct Total {
    uint64_t version = 1;
    uint64_t next_id = kDefaultId + 1;
  };
  struct Before {
    std::string name;
    Record record;  // nullptr: there was none
    Total total;
  };

  void change(std::string_view name, Record record);
  void replace(std::string_view name, Record record);
  static uint64_t bytes_of(std::string_view name, const Record& record);

  Effects& effects_;
  ByName by_name_;
  Total total_;
  uint64_t bytes_ = 0;
  uint64_t changes_ = 0;
  std::vector<Before> before_;  // the oldest first
  std::string key_;             // buffers
  std::string value_;
};

}  // namespace kiwi::resp
