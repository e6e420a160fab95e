// The Keyspace port: the state machine's ordered byte maps, without a RocksDB type in sight. Three
// interfaces, so that whoever uses one shows what it may do: a Reader reads, a Writer also writes
// and undoes, a StateStore commits turns and keeps files. Two adaptors stand behind all three under
// one conformance suite (tests/rocks/keyspace_suite.hpp): the plain one (memtable, one WriteBatch
// per apply turn), and a table of our own that is flushed as ingested files (rocks/table/).
//
// Thread: the apply thread only, except a view's Reader. While an entry rests in the middle nothing
// but give_up(), owed_bytes() and flushed_index() may be called: what it reads stays where it is. A
// disk error inside any method is fatal(), so no method returns one. Commands cannot tell which
// adaptor they run on. No method has a default: what stands in front of another one must say what
// it does with each.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "config/base/ids.hpp"
#include "config/base/result.hpp"

namespace kiwi::rocks {

// ON DISK (column families), never renumber. Keys of each: rocks/keys.hpp.
enum class Family : uint8_t { kMeta = 0, kElement = 1, kNode = 2, kSystem = 3 };
inline constexpr int kFamilies = 4;

// Walks keys in byte order within [from, to). Any write below it ends its life.
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual bool valid() const = 0;
  virtual void next() = 0;                      // requires valid()
  virtual void seek(std::string_view key) = 0;  // first key >= key (clamped to the bounds)
  virtual std::string_view key() const = 0;     // until the next call
  virtual std::string_view value() const = 0;   // until the next call
};
// The same backwards (ZREVRANGE, LRANGE from the tail).
class ReverseCursor {
 public:
  virtual ~ReverseCursor() = default;
  virtual bool valid() const = 0;
  virtual void next() = 0;  // towards smaller keys
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
};

// A key that somebody asks for, and what Reader::hash() of the same object said of it, if it was
// asked: who finds a key and then writes it has it hashed once.
struct LookupKey {
  template <class Bytes>
  requires std::convertible_to<const Bytes&, std::string_view> LookupKey(const Bytes& key)
      : bytes(key) {}
  LookupKey(std::string_view key, uint64_t known_hash) : bytes(key), hash(known_hash) {}

  std::string_view bytes;
  std::optional<uint64_t> hash;
};

class Reader {
 public:
  virtual ~Reader() = default;
  // The bytes stay valid until the next call of any method of this object, but for hash().
  virtual std::optional<std::string_view> get(Family family, const LookupKey& key) = 0;
  // How this object finds a key in memory, the same for all families; 0 if it hashes none. Another
  // object has another one, so nothing that can be seen may depend on it.
  virtual uint64_t hash(std::string_view key) const = 0;
  // Empty `to` = to the end of the family.
  virtual std::unique_ptr<Cursor> cursor(Family family,
                                         std::string_view from,
                                         std::string_view to) = 0;
  virtual std::unique_ptr<ReverseCursor> reverse_cursor(Family family,
                                                        std::string_view from,
                                                        std::string_view to) = 0;

  // A hint: these are the next keys to be read, so what memory holds of them may be fetched into
  // the processor's caches meanwhile. No I/O, no effect; a wrong guess costs a little time.
  virtual void expect_reads(Family family, std::span<const LookupKey> keys) = 0;
};

class Writer : public Reader {
 public:
  // Reads see every earlier write at once. Nothing is in files before it was committed.
  virtual void put(Family family, const LookupKey& key, std::string_view value) = 0;
  // put() of a value in two parts, which are joined where it is kept: one copy less of a long one.
  // `tail` may be what get() gave. The whole value, until the next call.
  virtual std::string_view put_joined(Family family,
                                      const LookupKey& key,
                                      std::string_view head,
                                      std::string_view tail) = 0;
  virtual void erase(Family family, const LookupKey& key) = 0;
  // Erases every key in [from, to): a dropped collection, a flushed database. Later writes into the
  // same range are legal and survive. Empty `to` = to the end of the family.
  virtual void erase_range(Family family, std::string_view from, std::string_view to) = 0;

  // What nothing names yet: a collection that is being built lies below the turn, so that it may be
  // larger than memory. Its records may reach files before the commit that names them, and stay
  // when their command is undone or the process dies: who undoes it, and who opens the state, drops
  // them. No cursor is open, and no other write of the turn is about these keys. It may wait for
  // room, as commit() does.
  struct Record {
    Family family = Family::kElement;
    std::string key;
    std::string value;
  };
  virtual void spill(std::span<const Record> records) = 0;
  virtual void drop_spilled(Family family, std::string_view from, std::string_view to) = 0;

  // Undo of one command (F30), and of one that another command runs inside itself: marks nest.
  // Each mark() is closed by exactly one undo() or keep(). undo() takes back everything since the
  // innermost open mark; after keep() what was written since then is part of what the mark around
  // it can take back.
  virtual void mark() = 0;
  virtual void undo() = 0;
  virtual void keep() = 0;
};

// What is hidden: elements and nodes that no metadata names, of what was being built when a process
// died or a checkpoint was made (spill()). Every version that was given to what is there is at most
// the mutation counter of the applied record, so what lies above it is nobody's. It is no part of a
// state's digest or delta, and whoever opens a state to write into it drops it first: later
// collections get those versions.
bool is_hidden(Family family, std::string_view key, uint64_t mutation_counter);
void drop_hidden(Writer& writer, uint64_t mutation_counter);

class StateStore {
 public:
  virtual ~StateStore() = default;

  // ---- turns
  // Ends an apply turn: all writes since the last commit become one atomic batch that also holds
  // `applied` under keys::applied_record() (written by the caller as an ordinary put before).
  // Whole entries only (F10): never called inside one, nor while a mark is open.
  virtual void commit(LogIndex applied) = 0;
  // Written since the last commit; the caller bounds a turn by it.
  virtual size_t pending_bytes() const = 0;

  // ---- files
  // The applied index that survives a crash now (F13): read past the memtables. The log is never
  // cut above it.
  virtual LogIndex flushed_index() = 0;
  virtual void flush() = 0;  // blocks until everything committed is on disk
  // The same without holding up the apply thread: `done` is called once, on any thread, with the
  // index that files hold then; it is at least the last one committed before the call.
  virtual void flush_async(std::function<void(LogIndex flushed)> done) = 0;
  // Makes `directory`, which must not exist and lies on the same file system, a state of its own:
  // it opens like any other and holds exactly one commit boundary, at least the last one before the
  // call. Call it between commits; apply goes on meanwhile. `done` is called once, on
  // any thread; whoever uses the files asks *them* for their index, term and members (F13). The
  // store's end waits for both kinds of jobs.
  virtual void checkpoint(std::string directory, std::function<void(Result<LogIndex>)> done) = 0;
  // Rearranges files now, as happens in the background anyway; no read can tell (F7). Blocks.
  virtual void compact() = 0;

  // ---- views
  // A frozen view of the last commit, for long reads on another thread. Outlives later commits,
  // not the store. It is for one thread at a time.
  virtual std::unique_ptr<Reader> view() = 0;
  // The same without holding up the apply thread, however much has to be written to files first:
  // `done` is called once, on any thread, with null after give_up(). The store's end waits for the
  // call, and the view must end before it.
  virtual void view_async(std::function<void(std::unique_ptr<Reader>)> done) = 0;
  // What a view taken now costs the writers later, in per mille of what compaction may owe before
  // pressure() rises; 0: nothing has to be written to files for it. Cheap.
  virtual uint32_t view_cost() = 0;

  // ---- the end
  // Another state took this one's place: what is not in files is of no use, and the store's end
  // waits for no more of it than what is being written now. Whoever waits is told at once:
  // flush_async() of what files hold, view_async() of null, checkpoint() of an error. No commit
  // after it.
  virtual void give_up() = 0;

  // ---- pressure
  // How far what is in files lags behind what was committed: 0 = it keeps up, and whoever proposes
  // writes slows down the more the higher it is. At kPressureFull no turn should be begun until
  // when_room() calls back, else commit() blocks. Cheap.
  static constexpr uint32_t kPressureFull = 1000;
  virtual uint32_t pressure() = 0;
  // Calls `done` once, on any thread, when pressure() may have fallen.
  virtual void when_room(std::function<void()> done) = 0;
  // Work that nobody waits for, a piece of it: what was erased is freed. True: there is more. To be
  // called now and then, between commits.
  virtual bool tidy() = 0;
  // Bytes of the disk that will be written for what was committed already, and that a compaction
  // takes while it runs (F60). Cheap.
  virtual uint64_t owed_bytes() = 0;

  // ---- for INFO
  struct Usage {
    uint64_t memory_bytes = 0;       // approximate
    uint64_t block_cache_bytes = 0;  // of them, RocksDB's
    uint64_t memtable_bytes = 0;     // the same
    uint64_t mapped_bytes = 0;       // pages that were touched and are not the allocator's
    uint64_t disk_bytes = 0;
    uint64_t dirty_bytes = 0;  // committed and not in files
    // Recent records in memory, the dirty ones included, and those that were erased and not freed.
    uint64_t cache_bytes = 0;
    uint64_t tombstones_passed = 0;  // by cursors on their way to what exists
    uint64_t flushes = 0;
    uint64_t flush_us = 0;       // what they took, waits for compaction not included
    uint64_t flush_wait_us = 0;  // what they waited for compaction
    uint32_t pressure = 0;
    // Of RocksDB's compaction, which has to keep up with the flushes.
    uint64_t level0_files = 0;  // of the family that has most
    uint64_t pending_compaction_bytes = 0;
    uint64_t stall_slowdowns = 0;  // how often RocksDB began to slow down writes since the start
    uint64_t stall_stops = 0;      // and to stop them
    uint64_t compaction_room_bytes = 0;  // what the largest compaction to come needs
    uint64_t waits_for_room = 0;         // flushes that wait for room on the disk now
    uint64_t compactions_put_off = 0;    // for lack of it, since the start
  };
  virtual Usage usage() = 0;
};

// What an adaptor is. One object, because a turn's writes and its commit are one thing.
class Keyspace : public Writer, public StateStore {};

struct KeyspaceOptions {
  std::string path;  // directory, created if missing
  uint64_t block_cache_bytes = 256 << 20;
  uint64_t write_buffer_bytes = 16 << 20;    // per column family memtable
  uint64_t metadata_cache_bytes = 64 << 20;  // hash of recent metadata records; 0 = none
  uint64_t table_bytes = 256 << 20;          // the table adaptor's write buffer and cache
  size_t table_erased_at_once = 256;  // records of a range that are freed at once, not bit by bit
  // What compaction may owe: pressure() rises from the first on; at the second flushes wait.
  uint64_t level0_files_slow = 8;
  uint64_t level0_files_max = 12;
  uint64_t compaction_debt_slow = uint64_t{8} << 30;
  uint64_t compaction_debt_max = uint64_t{32} << 30;
  // Called before memtables are written to files, on a RocksDB thread: with raft.log-fsync no it
  // must make the log durable, or a power loss leaves a state ahead of its log (F38).
  std::function<void()> before_flush;
  // Of what is hashed in memory; none: a random one, so that no client can choose keys that meet
  // (F63). Nothing that can be seen depends on it.
  std::optional<uint64_t> hash_seed;
  std::function<uint64_t()> free_bytes = nullptr;  // of the disk; empty: it is asked
  // For a state that may be thrown away: nothing waits for room on the disk then. Called, on any
  // thread, when something cannot be written for lack of it, and what was committed is lost.
  std::function<void()> no_room = nullptr;
};

// The plain adaptor. Errors: locked by another process, unreadable, corrupt; each one sentence.
Result<std::unique_ptr<Keyspace>> open_plain_keyspace(const KeyspaceOptions& options);
// The StateTable adaptor, on the same files: a directory may be opened by either.
Result<std::unique_ptr<Keyspace>> open_table_keyspace(const KeyspaceOptions& options);

}  // namespace kiwi::rocks
