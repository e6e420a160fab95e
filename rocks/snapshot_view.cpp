#include "rocks/snapshot_view.hpp"

#include <rocksdb/db.h>

#include "rocks/merged_cursor.hpp"
#include "rocks/state_database.hpp"

namespace kiwi::rocks {

namespace {

class SnapshotView final : public Reader {
 public:
  explicit SnapshotView(const StateDatabase& database)
      : database_(database), snapshot_(database.db().GetSnapshot()) {
    options_.snapshot = snapshot_;
  }
  ~SnapshotView() override { database_.db().ReleaseSnapshot(snapshot_); }
  SnapshotView(const SnapshotView&) = delete;
  SnapshotView& operator=(const SnapshotView&) = delete;

  std::optional<std::string_view> get(Family family, const LookupKey& key) override {
    return database_.get(options_, family, key.bytes, found_);
  }
  uint64_t hash(std::string_view) const override { return 0; }
  std::unique_ptr<Cursor> cursor(Family family,
                                 std::string_view from,
                                 std::string_view to) override {
    return make_cursor<StoredWalk>(source(family), nullptr, from, to);
  }
  std::unique_ptr<ReverseCursor> reverse_cursor(Family family,
                                                std::string_view from,
                                                std::string_view to) override {
    return make_reverse_cursor<StoredWalk>(source(family), nullptr, from, to);
  }

  void expect_reads(Family, std::span<const LookupKey>) override {}

 private:
  StoredWalk::Source source(Family family) const {
    return {.db = &database_.db(),
            .family = database_.handle(family),
            .path = &database_.path(),
            .snapshot = snapshot_};
  }

  const StateDatabase& database_;
  const rocksdb::Snapshot* snapshot_;
  rocksdb::ReadOptions options_;
  rocksdb::PinnableSlice found_;
};

}  // namespace

std::unique_ptr<Reader> make_snapshot_view(const StateDatabase& database) {
  return std::make_unique<SnapshotView>(database);
}

}  // namespace kiwi::rocks
