#include "rocks/stored_walk.hpp"

#include "config/base/check.hpp"
#include "rocks/rocksdb_support.hpp"

namespace kiwi::rocks {

StoredWalk::StoredWalk(const Source& source, std::string_view from, std::string_view to)
    : path_(*source.path), from_(from), to_(to), lower_(from_), upper_(to_) {
  CHECK_INVARIANT(below(from, to));  // RocksDB has no empty ranges
  rocksdb::ReadOptions options;
  options.snapshot = source.snapshot;
  options.iterate_lower_bound = &lower_;
  options.iterate_upper_bound = to_.empty() ? nullptr : &upper_;
  iterator_.reset(source.db->NewIterator(options, source.family));
}

void StoredWalk::seek_before(std::string_view end) {
  iterator_->SeekForPrev(end);
  look();
  if (valid_ && key() == end) {
    prev();
  }
}

void StoredWalk::check_status() const {
  if (!iterator_->status().ok()) {
    fatal_status("iterating", path_, iterator_->status());
  }
}

}  // namespace kiwi::rocks
