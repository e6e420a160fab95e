// The tokens whose commands were applied, and what became of each (system family, tags O and o): so
// a repeated command counts once, on any node, after failovers, restarts and snapshots. FLUSHALL
// leaves them. No token is forgotten alone: whole seconds go, the oldest first, and a floor rises
// past them that never falls; what is not above the floor is refused before it is executed. So what
// is forgotten is never executed again, whatever clocks, bounds and settings do.
//
// Part of the Database. How many tokens each second has is in memory, and written once a turn: it
// follows from the records. Of seconds that began since the state was opened the tokens' hashes are
// there, too, so that a fresh one costs no read; they only save reads, and a state that hashes
// nothing has none.
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
#include "resp/types/once_record.hpp"
#include "resp/types/settings.hpp"
#include "rocks/keys.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::resp {

class Once {
 public:
  using Name = rocks::keys::OnceKey;  // milliseconds, user and name

  // What the cluster's settings say.
  struct Limits {
    int64_t window_ms = 0;
    uint64_t records = 0;
    uint64_t bytes = 0;
    size_t reply = 0;  // a reply up to here is kept
  };
  struct Total {
    uint64_t records = 0;
    uint64_t bytes = 0;
    uint64_t floor_ms = 0;   // every token up to here is forgotten
    uint64_t oldest_ms = 0;  // when the oldest second that is kept begins; 0: none is
  };

  Once(rocks::Reader& state, Effects& effects, const Settings& settings)
      : state_(state), effects_(effects), settings_(settings) {}

  void load();  // of a state that entries are applied to; a view only finds

  std::optional<OnceRecord> find(const Name& name);
  // A token up to here is refused: it may have been forgotten.
  int64_t forgotten_until_ms(int64_t stamp_ms);
  const Limits& limits();
  Total total() const;

  // Not of what is forgotten.
  void put(const Name& name, const OnceRecord& record);
  // Behind the last command of an entry: what is too old or too much goes.
  void end_entry(int64_t stamp_ms);
  void end_turn();  // writes what is kept in memory

  // ---- undo: as of rocks::Writer
  size_t mark() const { return before_.size(); }
  void undo_to(size_t mark);
  void keep_all() { before_.clear(); }

 private:
  static constexpr uint64_t kSecondMs = 1000;
  static constexpr uint64_t kRecordBytes = 80;  // what a record takes beside its key and value
  // Seconds that one record may drive out: so one entry never erases for long.
  static constexpr uint64_t kEvictionsPerRecord = 64;

  // Hashes as the state has them, with a seed that no client knows (F63); open addressing: 8 bytes
  // a slot, at most half of them used.
  class Hashes {
   public:
    void insert(uint64_t hash);
    bool contains(uint64_t hash) const;

   private:
    std::vector<uint64_t> slots_;  // 0: free
    size_t used_ = 0;
  };
  struct Count {
    uint64_t records = 0;
    uint64_t bytes = 0;
  };
  struct Second {
    Count count;
    bool whole = true;  // `hashes` has all of it: what it lacks is not in the state
    Hashes hashes;
  };
  struct Before {
    uint64_t second = 0;
    Count count;
  };

  uint64_t hash_of(const Name& name);
  bool may_be_there(const Name& name);
  void add(uint64_t second, uint64_t records, uint64_t bytes, uint64_t bytes_before);
  void evict(std::map<uint64_t, Second>::iterator oldest);
  void touch(uint64_t second);

  rocks::Reader& state_;
  Effects& effects_;
  const Settings& settings_;
  std::map<uint64_t, Second> seconds_;  // those that have a record
  Count all_;
  uint64_t floor_ms_ = 0;
  bool floor_moved_ = false;     // since end_turn()
  uint64_t written_ = 0;         // records of this entry
  std::vector<uint64_t> dirty_;  // seconds that end_turn() writes
  std::vector<Before> before_;   // the oldest first
  Limits limits_;
  uint64_t limits_of_ = UINT64_MAX;  // Settings::changes() that they were read at
  std::string key_;                  // buffers
  std::string value_;
  std::string to_;
};

}  // namespace kiwi::resp
