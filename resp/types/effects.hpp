// What entries do to the state, record by record. Everything that one changes goes through here, so
// that it is part of the rolling checksum (F34), of the bound on one entry's work (F61) and of its
// command's undo (F30). Knows keys and values as bytes only.
//
// Owned by the Database; whatever a type of resp/types/ stores it stores by this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/base/check.hpp"
#include "config/base/ids.hpp"
#include "config/limits.hpp"
#include "rocks/keys.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::resp {

// F61: what commands of one entry read into memory or write, beyond what clients sent, is bounded:
// an entry is one commit; and so is how many records a command looks at. Alike on every node.
struct TooMuchForOneEntry : std::exception {
  const char* what() const noexcept override { return "too much for one entry"; }
};

// A name that a record's key would hold and that is longer than those may be (limits.hpp). Alike on
// every node, too. what() is the client's error.
struct NameTooLong : std::exception {
  enum class Of : uint8_t { kKey, kField, kGroup };
  explicit NameTooLong(Of what) : of(what) {}
  const char* what() const noexcept override;
  Of of;
};
inline void check_key_name(std::string_view name) {
  if (name.size() > config::limits::kKeyNameBytes) {
    throw NameTooLong(NameTooLong::Of::kKey);
  }
}
inline void check_field_name(std::string_view name) {
  if (name.size() > config::limits::kFieldBytes) {
    throw NameTooLong(NameTooLong::Of::kField);
  }
}
inline void check_group_name(std::string_view name) {  // of a stream; or a consumer's
  if (name.size() > config::limits::kFieldBytes) {
    throw NameTooLong(NameTooLong::Of::kGroup);
  }
}

class Effects {
 public:
  // nullptr: of a view, which nobody may change.
  Effects(rocks::Writer* writer, size_t entry_work_max)
      : writer_(writer), entry_work_max_(entry_work_max), large_entry_(entry_work_max / 4) {}

  // While it lives, what is put goes into a collection that no record names yet: into a buffer,
  // which goes below the turn whenever it is full (Writer::spill()), so that the collection may
  // have any size. Nothing of it is read or erased meanwhile. One at a time.
  class Build {
   public:
    Build(Effects& effects, rocks::CollectionId collection);
    ~Build() { effects_.build_ = nullptr; }  // not finished: its command is undone
    Build(const Build&) = delete;
    Build& operator=(const Build&) = delete;
    // What is left in the buffer is written as always, unless earlier ones of the entry left much.
    void finish();

   private:
    friend class Effects;
    void put(rocks::Family family, std::string_view key, std::string_view value);
    void spill();

    Effects& effects_;
    const rocks::CollectionId collection_;
    std::string prefix_;  // of its keys
    std::vector<rocks::Writer::Record> records_;
    size_t bytes_ = 0;
  };
  void spill_at(size_t bytes) { spill_bytes_ = bytes; }
  void build_max(size_t bytes) { build_max_ = bytes; }  // of an entry; the same on all nodes
  // Called before a spill, which may have to wait for room.
  void before_spill(std::function<void()> told) { before_spill_ = std::move(told); }

  void put(rocks::Family family, const rocks::LookupKey& key, std::string_view value);
  void put_joined(rocks::Family family,
                  const rocks::LookupKey& key,
                  std::string_view head,
                  std::string_view tail);  // of rocks::Writer
  void erase(rocks::Family family, const rocks::LookupKey& key);
  void erase_range(rocks::Family family, std::string_view from, std::string_view to);
  // For records that follow from others once a turn, which the checksum does not hold.
  rocks::Writer& writer() {
    CHECK_INVARIANT(writer_ != nullptr);
    return *writer_;
  }
  bool read_only() const { return writer_ == nullptr; }

  // ---- entries
  // `mutation_counter`: the state's as it begins.
  void begin_entry(uint64_t mutation_counter);
  // Whether a record that was last written by this mutation was written in this entry. It takes the
  // room that it has again: only what it grows by is work.
  bool wrote(uint64_t mutation) const { return mutation > began_at_; }
  // Called once in an entry, before the command that makes it a large one goes on: what if it ends
  // the process?
  void on_large_entry(std::function<void()> told) { on_large_entry_ = std::move(told); }
  // Its position becomes part of the checksum.
  void end_entry(LogIndex index, uint64_t mutation_counter);
  uint64_t checksum() const { return checksum_; }
  void load_checksum(uint64_t checksum) { checksum_ = checksum; }

  // For life: called now and then, between two effects.
  void rest_by(std::function<void()> rest) { rest_ = std::move(rest); }

  // ---- the bound on an entry's work
  // A record that a command copies, moves or holds in memory. Throws TooMuchForOneEntry, which is
  // not counted; what was counted before stays so when it is undone, since the time is gone and the
  // memory of what was written is in use until the commit.
  void spend(size_t bytes) {
    const size_t more = bytes + kRecordWork;
    if (spent_ + more > large_entry_) {
      return spend_much(more);
    }
    spent_ += more;
  }
  // The same for so many at once, before they are made.
  void spend(uint64_t records, size_t bytes_each) {
    CHECK_INVARIANT(records != 0);
    if (records > entry_work_max_ / (bytes_each + kRecordWork)) {
      throw TooMuchForOneEntry();
    }
    spend(records * (bytes_each + kRecordWork) - kRecordWork);
  }
  // Of the next command: its size as it came.
  void carry(size_t bytes) { carried_ = bytes; }
  // A string that is stored whole, and before it is put together. What came with the command costs
  // nothing, and an entry's first string that did not may be as long as strings may be; beyond it,
  // TooMuchForOneEntry.
  void spend_string(size_t bytes) {
    if (bytes > carried_ + kRecordWork) {
      spend_beyond_carried(bytes);
    }
  }
  void expect_string(size_t bytes) const;
  // The same for what is written already: if it is refused, so is all that is spent behind it.
  void spend_written(size_t bytes);
  // A small collection, or nodes of a large one, which are stored whole, maybe before this: what
  // came with the command costs nothing.
  void spend_packed(size_t bytes) {
    if (bytes > carried_ + kRecordWork) {
      spend_written(beyond_carried(bytes));
    }
  }
  // Before nodes are written.
  void expect_packed() const {
    if (overdrawn_) {
      throw TooMuchForOneEntry();
    }
  }
  // Reads are not executed everywhere: what they spend is counted apart.
  size_t exchange_spent(size_t spent) { return std::exchange(spent_, spent); }
  size_t entry_work_max() const { return entry_work_max_; }

  // ---- undo: as of rocks::Writer, but for what was spent
  void mark();
  void undo();
  void keep();
  bool marked() const { return !marks_.empty(); }

 private:
  static constexpr size_t kRecordWork = 100;  // what memory a record takes beside its bytes
  static constexpr uint64_t kBetweenRests = 64;
  size_t beyond_carried(size_t bytes) const;
  void spend_beyond_carried(size_t bytes);
  void spend_much(size_t more);
  void tell_if_large();
  void tell_large();
  void count_built(size_t bytes);
  void drop_spilled(size_t from);
  void mix(uint8_t effect, std::string_view key, std::string_view value);
  void written() {
    if (++effects_ % kBetweenRests == 0 && rest_) {
      rest_();
    }
  }

  rocks::Writer* const writer_;
  uint64_t checksum_ = 0;
  const size_t entry_work_max_;
  const size_t large_entry_;  // spent_ above it is told
  std::function<void()> on_large_entry_;
  std::function<void()> rest_;
  uint64_t effects_ = 0;     // so far
  bool told_large_ = false;  // of this entry
  size_t spent_ = 0;         // of this entry
  bool rewrote_ = false;     // this entry: a string that did not come with its command
  bool overdrawn_ = false;   // this entry: wrote more than it may, and took it back
  size_t carried_ = 0;       // of this command
  uint64_t began_at_ = std::numeric_limits<uint64_t>::max();  // no entry has begun
  struct Mark {
    uint64_t checksum;  // before
    size_t spilled;     // spilled_.size()
  };
  std::vector<Mark> marks_;  // of open ones, the outermost first
  Build* build_ = nullptr;
  std::vector<rocks::CollectionId> spilled_;  // of this entry, versions ascending
  size_t built_ = 0;                          // of this entry, bytes
  size_t built_in_turn_ = 0;                  // of this entry: what builds left in the turn
  size_t build_max_ = config::limits::kEntryBuildBytes;
  size_t spill_bytes_ = config::limits::kSpillBytes;
  std::function<void()> before_spill_;
  std::string position_;  // a buffer
};

}  // namespace kiwi::resp
