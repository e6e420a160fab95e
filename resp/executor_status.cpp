// Executor: what it tells of itself and of its databases.
#include "resp/executor.hpp"
#include "resp/executor_state.hpp"

namespace kiwi::resp {

std::vector<Executor::DatabaseSize> Executor::database_sizes() const {
  std::vector<DatabaseSize>& sizes = state_->sizes;
  if (state_->rests) {
    return sizes;
  }
  sizes.clear();
  for (uint32_t logical : state_->database.databases_with_keys()) {
    const KeyCounts counts = state_->database.counts(state_->database.physical(logical));
    sizes.push_back({logical, counts.keys, counts.keys_with_ttl,
                     counts.deadlines.mean_ms(counts.keys_with_ttl)});
  }
  return sizes;
}

ScriptStatus Executor::scripts() const {
  ScriptStatus& status = state_->script_status;
  if (state_->rests) {
    return status;  // a script may be in the middle of what is counted
  }
  const Scripts::Total scripts = state_->database.scripts().total();
  const Libraries::Total libraries = state_->database.libraries().total();
  status.scripts = scripts.evaluated + scripts.loaded;
  status.script_bytes = scripts.evaluated_bytes + scripts.loaded_bytes;
  status.libraries = libraries.libraries;
  status.functions = libraries.functions;
  status.library_bytes = libraries.bytes;
  status.image_bytes = state_->scripts.image_bytes();
  status.arena_bytes = state_->scripts.arena_bytes();
  return status;
}

OnceStatus Executor::once() const {
  OnceStatus& status = state_->once_counts;
  if (!state_->rests) {
    const Once::Total total = state_->database.once().total();
    status.records = total.records;
    status.bytes = total.bytes;
    status.floor_ms = total.floor_ms;
    status.oldest_ms = total.oldest_ms;
  }
  status.stamp_ms = state_->record().stamp_ms;
  return status;
}

bool Executor::skipped_entry() const { return state_->skipped; }

uint64_t Executor::state_checksum() const { return state_->record().checksum; }

Executor::Counters Executor::counters() const {
  const Context::Stats& stats = state_->context.stats();
  return {stats.hits, stats.misses, stats.expired, state_->commands, stats.expired_fields};
}

}  // namespace kiwi::resp
