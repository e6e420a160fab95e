#include "rocks/stored_walk.hpp"

#include "config/base/check.hpp"
#include "rocks/rocksdb_support.hpp"

namespace kiwi::rocks {

StoredWalk::StoredWalk(const Source& source, std::string_view from, std::string_view to)
    : source_(source), from_(from), to_(to), lower_(from_), upper_(to_) {
  CHECK_INVARIANT(below(from, to));  // RocksDB has no empty ranges
  iterator_.reset(source_.db->NewIterator(options(), source_.family));
}

rocksdb::ReadOptions StoredWalk::options() const {
  rocksdb::ReadOptions options;
  options.snapshot = source_.snapshot;
  options.iterate_lower_bound = &lower_;
  options.iterate_upper_bound = to_.empty() ? nullptr : &upper_;
  return options;
}

void StoredWalk::seek_before(std::string_view end) {
  move([&] { iterator_->SeekForPrev(end); });
  if (valid_ && key() == end) {
    prev();
  }
}

void StoredWalk::check_status(bool lost) const {
  if (!iterator_->status().ok()) {
    fatal_status("iterating", *source_.path, iterator_->status());
  }
  if (lost) {
    stop_at_damage();
  }
}

// Which file it is says a second look that knows nothing of range tombstones: without them no error
// gets lost.
void StoredWalk::stop_at_damage() const {
  rocksdb::ReadOptions all = options();
  all.ignore_range_deletions = true;
  const std::unique_ptr<rocksdb::Iterator> again(source_.db->NewIterator(all, source_.family));
  for (again->SeekToFirst(); again->Valid(); again->Next()) {
  }
  fatal_status("iterating", *source_.path,
               again->status().ok()
                   ? rocksdb::Status::IOError("a block could be read only the second time")
                   : again->status());
}

}  // namespace kiwi::rocks
