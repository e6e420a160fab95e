// A group of consumers that read a stream together: who got which entry and has not acknowledged it
// yet. Pending entries stand in a tree of their own, by id (tree.hpp), whose root is in the group's
// record; so how many are pending is the tree's size, and never a counter that could drift. Each
// consumer counts its own, and knows ids below and above which it has none (M7).
//
// Owned by the Stream that opened it, and saved with it. Consumers that were asked for stay valid
// until the group is closed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resp/types/database.hpp"
#include "resp/types/group_records.hpp"
#include "resp/types/tree.hpp"

namespace kiwi::resp {

class Stream;

struct StreamConsumer {
  std::string name;
  ConsumerRecord record;
  bool changed = false;
  bool fresh = false;  // has no records yet
};

// A walk over pending entries, upwards, page by page.
struct PendingWalk {
  rocks::StreamId from;
  rocks::StreamId to{UINT64_MAX, UINT64_MAX};
  uint64_t of = 0;  // the consumer's number; 0: everybody's
  // No more than so many can come. For whoever made the walk: not to be set.
  uint64_t left = UINT64_MAX;
  bool over = false;
};

class StreamGroup {
 public:
  explicit StreamGroup(Database& database);

  const std::string& name() const { return name_; }
  const rocks::StreamId& last_id() const { return record_.last_id; }
  std::optional<uint64_t> entries_read() const { return record_.entries_read; }
  uint64_t consumers() const { return record_.consumers; }
  uint64_t pending() const { return tree_.size(); }
  bool changed() const { return changed_; }

  void set_last_id(const rocks::StreamId& id);
  void set_entries_read(std::optional<uint64_t> count);

  // ---- consumers
  StreamConsumer* consumer(std::string_view name);  // nullptr: there is none
  const StreamConsumer* consumer(std::string_view name) const;
  StreamConsumer& create_consumer(std::string_view name, int64_t now_ms);  // that is not there
  void saw(StreamConsumer& consumer, int64_t now_ms);
  // And its pending entries. How many those were.
  uint64_t remove_consumer(StreamConsumer& consumer);
  const std::string& name_of(uint64_t consumer) const;  // of a pending entry
  // By name, as of the last save(). Reads nothing inside.
  void each_consumer(
      const std::function<void(std::string_view name, const ConsumerRecord& record)>& visit) const;

  // ---- pending entries
  std::optional<PendingEntry> find(const rocks::StreamId& id) const;
  // The entry belongs to `to` from now on, whoever had it.
  void deliver(StreamConsumer& to,
               const rocks::StreamId& id,
               uint64_t deliveries,
               int64_t delivered_ms);
  bool acknowledge(const rocks::StreamId& id);  // false: it is not pending
  // The next ones, at most `most`; fewer, and walk.over, at the end.
  void next(PendingWalk& walk, size_t most, std::vector<PendingEntry>& page) const;
  static PendingWalk walk_of(const ConsumerRecord& consumer, const rocks::StreamId& from);
  // It has no entry that is pending below this one; above it.
  void raise_floor(StreamConsumer& consumer, const rocks::StreamId& id);
  void lower_ceiling(StreamConsumer& consumer, const rocks::StreamId& id);
  std::optional<PendingEntry> first() const;
  std::optional<PendingEntry> last() const;

  // ---- for who loads groups: what is pending comes first, and is nobody's until it is given to a
  // consumer. Both false: it was there, or was somebody's, and nothing was done.
  bool add_pending(const rocks::StreamId& id, uint64_t deliveries, int64_t delivered_ms);
  bool own(StreamConsumer& consumer, const rocks::StreamId& id);
  // Writes the consumers that were asked for, and forgets them.
  void store_consumers();

  // ---- for Stream
  uint32_t number() const { return record_.number; }
  void open(Stream* stream, std::string_view name, const GroupRecord& record);
  void open_new(Stream* stream, std::string_view name, uint32_t number);
  void close();  // it stands for none
  void serve(Stream* stream) { stream_ = stream; }
  void save();
  GroupRecord record() const;  // as saved

 private:
  void begin_change();
  void write_consumers();
  void store_nodes();
  void store_if_many();
  StreamConsumer& owner(uint64_t number) const;
  bool drop_all_pending(const ConsumerRecord& consumer);
  StreamConsumer& known(StreamConsumer consumer) const;
  std::optional<PendingEntry> find_for_change(const rocks::StreamId& id);
  void give(StreamConsumer& to, const rocks::StreamId& id);
  void take(StreamConsumer& from, const rocks::StreamId& id);
  std::string_view key_of(const rocks::StreamId& id) const;
  rocks::CollectionId collection() const;

  Database* database_;
  Stream* stream_ = nullptr;
  std::string name_;
  GroupRecord record_;  // its tree's head is tree_'s
  bool changed_ = false;
  mutable Tree tree_;  // reading fills its buffers
  // Those that were asked for, by number. Few: those of one command.
  mutable std::map<uint64_t, StreamConsumer> known_;
  mutable std::string key_;
  std::string entry_;
};

}  // namespace kiwi::resp
