// The state directories of a simulated node: a keyspace, what a crash leaves of it, and copies of
// it as maps, which is how snapshots travel in a world. Owned by the node.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "config/base/ids.hpp"
#include "rocks/keyspace.hpp"
#include "rocks/metadata.hpp"
#include "tests/support/memory_keyspace.hpp"

namespace kiwi::sim {

using Maps = rocks::MemoryKeyspace::Maps;

class StateStore {
 public:
  virtual ~StateStore() = default;
  // Valid until crash(); whoever uses it ends before.
  virtual rocks::Keyspace& keyspace() = 0;
  virtual void crash() = 0;  // what was not flushed is gone
  // As if the process had started on these files. Only while nobody uses the keyspace.
  virtual void become(const Maps& maps, LogIndex applied) = 0;
  virtual Maps flushed() = 0;            // what a crash would leave
  virtual Maps committed() = 0;          // flushes if it has to
  virtual bool work() { return false; }  // one piece of what is done beside apply; false: none
};

// What a state says of itself (F13).
rocks::AppliedRecord record_of(const Maps& maps);

// An ordinary map; `forgets_record`: what was written is flushed, the applied record is not.
std::unique_ptr<StateStore> make_memory_store(bool forgets_record);

// The default engine, rocks/table/, with a table of so many bytes. Its flusher works when work()
// is called, and when somebody waits for it.
std::unique_ptr<StateStore> make_table_store(const std::string& directory, uint64_t table_bytes);

}  // namespace kiwi::sim
