// The marks of this data directory and those known of the peers' (raft/lineage.hpp, F52), in files:
//   <dir>/marks     this directory's latest marks, for this incarnation
//   <dir>/peers     the latest marks known of each peer's directory
//   <dir>/old-copy  why this directory may not be used any more
// Plain functions and one plain class; every file is written whole and durably.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/base/ids.hpp"
#include "config/base/result.hpp"
#include "raft/lineage.hpp"
#include "raft/types.hpp"

namespace kiwi::actors {

// None at the first start of this incarnation, when there is no such file or it is of another one.
// At later starts that is damage. A file that cannot be read is an error.
Result<std::vector<raft::Mark>> load_marks(const std::string& dir,
                                           const Incarnation& incarnation,
                                           uint64_t boot_epoch);
Result<void> store_marks(const std::string& dir,
                         const Incarnation& incarnation,
                         const std::vector<raft::Mark>& marks);
uint64_t random_mark();

// The sentence that an earlier start of this directory left. An error: it cannot be read.
Result<std::optional<std::string>> old_copy_note(const std::string& dir);
Result<void> leave_old_copy_note(const std::string& dir, const std::string& sentence);

// What this node remembers of its peers' directories. Client loop.
class KnownMarks {
 public:
  // Empty if there is no such file or it is damaged: what it knew will be heard again. An error: it
  // cannot be read.
  static Result<KnownMarks> load(const std::string& dir);
  static Result<void> store(const std::string& dir, const std::string& encoded);

  raft::Lineage of(NodeId node, const Incarnation& incarnation) const;  // empty: nothing is known
  // True: it is news. Members are always remembered, of others a few.
  bool learn(NodeId node,
             const Incarnation& incarnation,
             const std::vector<raft::Mark>& marks,
             const raft::Configuration& latest,
             const raft::Configuration& committed);
  // Members that were removed or replaced never count again (F1): of both configurations, the
  // latest in the log and the committed one, all are kept.
  void keep_members_of(const raft::Configuration& latest, const raft::Configuration& committed);
  size_t size() const { return lives_.size(); }

  // Of one life of a node.
  struct Item {
    NodeId node;
    Incarnation incarnation;
    std::vector<raft::Mark> marks;
  };
  std::vector<Item> items() const;
  static std::string encode(const std::vector<Item>& items);
  // What was encoded by this node or another; nullopt: it is damaged.
  static std::optional<std::vector<Item>> decode(std::string_view bytes);

 private:
  std::map<std::pair<NodeId, Incarnation>, raft::Lineage> lives_;
};

}  // namespace kiwi::actors
