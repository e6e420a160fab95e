// Streams: entries by id, ascending. They stand in blocks (stream_block.hpp), which a tree holds
// (tree.hpp): as long as the blocks fit its root is the only leaf, and they are packed into the
// key's record. Groups of consumers: stream_groups.hpp. A stream is the one collection that may be
// there without an element.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resp/types/handle.hpp"
#include "resp/types/stream_block.hpp"
#include "resp/types/stream_groups.hpp"
#include "resp/types/tree.hpp"

namespace kiwi::resp {

inline constexpr StreamId kStreamIdMax{UINT64_MAX, UINT64_MAX};
// The next one, the one before. nullopt: there is none.
std::optional<StreamId> next_id(const StreamId& id);
std::optional<StreamId> id_before(const StreamId& id);

// False: no more are wanted. Neither reads nor writes inside.
using StreamVisit = std::function<bool(const StreamEntry& entry)>;
using BlockVisit = std::function<bool(const StreamBlock& block)>;

// What XTRIM takes, and how closely: `about` takes whole blocks only, and at most `limit` entries.
struct StreamTrim {
  enum class By : uint8_t { kNothing, kLength, kId };
  By by = By::kNothing;
  uint64_t length = 0;  // at most so many stay
  StreamId id = {};     // those below it go
  bool about = false;
  uint64_t limit = 0;  // 0: none
};

class Stream final : public Handle {
 public:
  static constexpr rocks::Type kType = rocks::Type::kStream;
  explicit Stream(Database& database);

  bool there() const { return key_.live || fresh_; }
  uint64_t size() const { return there() ? key_.meta.size : 0; }
  bool empty() const { return size() == 0; }
  const rocks::StreamTail& tail() const;
  StreamId last_entry() const;  // of a stream that is not empty

  // Entries with from <= id <= to, upwards and downwards.
  void range(const StreamId& from, const StreamId& to, const StreamVisit& visit) const;
  void range_back(const StreamId& from, const StreamId& to, const StreamVisit& visit) const;
  bool has(const StreamId& id) const;
  // Calls visit with the entry, if it is there. False: it is not.
  bool find(const StreamId& id, const StreamVisit& visit) const;
  void each_block(const BlockVisit& visit) const;

  // Bytes that are given are not this stream's own.
  void create();                                         // of one that is not there
  void append(const StreamId& id, StreamFields fields);  // id > tail().last_id
  bool erase(const StreamId& id);                        // false: it was not there
  uint64_t trim(const StreamTrim& trim);                 // how many entries went
  void set_last_id(const StreamId& id);                  // not below last_entry()
  void set_entries_added(uint64_t count);
  void set_max_deleted(const StreamId& id);
  // A whole block behind all others and their entries; for who loads streams. Its counts are
  // believed.
  void append_block(const StreamBlock& block);

  void save();

  // ---- groups. One is open at a time, and saved with the stream.
  StreamGroup* group(std::string_view name);  // nullptr: there is none
  const StreamGroup* group(std::string_view name) const;
  // nullptr: the numbers of groups are used up. Requires that there is none of that name.
  StreamGroup* create_group(std::string_view name, const StreamId& last_id);
  void drop_group(StreamGroup& group);
  // By name. Nothing that belongs to a group may have been changed since save(). Reads nothing
  // inside.
  void each_group(
      const std::function<void(std::string_view name, const GroupRecord& record)>& visit) const;
  // How many entries were ever added up to this one, if that can be known.
  std::optional<uint64_t> entries_up_to(const StreamId& id) const;
  bool may_lack_entries_from(const StreamId& id) const;
  void entry_delivered(StreamGroup& group, const StreamId& id);

  // For StreamGroup: before anything is changed. The stamp of what changes.
  uint64_t begin_change();

  // For Handles.
  void stand_for(const Key& key);
  void give_back();

 private:
  struct Found {
    uint64_t rank = 0;  // of the block
    StreamBlock block;
    StreamEntry entry;
  };
  uint64_t blocks_up_to(const StreamId& id) const;
  std::optional<Found> locate(const StreamId& id, bool for_change) const;
  void count_blocks();
  void store_nodes();
  void store_if_many();
  void clear_blocks();
  void drop_blocks(uint64_t count);
  std::optional<StreamBlock> last_block_below(const StreamId& id);
  uint64_t cut_first(const StreamTrim& trim, uint64_t left);
  void replace_block(uint64_t rank, const StreamBlock& block, std::string_view more);
  void find_first();
  StreamGroup& group_space() const;
  void close_group();

  mutable Tree tree_;                           // reading fills its buffers
  mutable std::unique_ptr<StreamGroup> group_;  // made when one is asked for
  mutable std::vector<StreamEntry> backwards_;  // entries of one block
  mutable std::string key_bytes_;
  // Buffers, reused.
  std::string entry_;
  std::string more_;
  std::string names_;
};

}  // namespace kiwi::resp
