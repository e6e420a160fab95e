#include "tests/sim/state_store.hpp"

#include <filesystem>
#include <utility>

#include "config/base/check.hpp"
#include "rocks/keys.hpp"
#include "rocks/table/hosted_keyspace.hpp"

namespace kiwi::sim {

namespace {

// A storage bug for the mutant table.
class ForgetfulKeyspace final : public rocks::MemoryKeyspace {
 public:
  void flush() override {
    std::string key;
    rocks::keys::applied_record(key);
    std::string now(get(rocks::Family::kSystem, key).value_or(""));
    put(rocks::Family::kSystem, key, flushed_record_.empty() ? now : flushed_record_);
    MemoryKeyspace::flush();
    put(rocks::Family::kSystem, key, now);
    flushed_record_ = now;
  }

 private:
  std::string flushed_record_;
};

class MemoryStore final : public StateStore {
 public:
  explicit MemoryStore(std::unique_ptr<rocks::MemoryKeyspace> keyspace)
      : keyspace_(std::move(keyspace)) {}
  rocks::Keyspace& keyspace() override { return *keyspace_; }
  void crash() override { keyspace_->crash(); }
  void become(const Maps& maps, LogIndex applied) override { keyspace_->become(maps, applied); }
  Maps flushed() override { return keyspace_->flushed_maps(); }
  Maps committed() override { return keyspace_->maps(); }

 private:
  std::unique_ptr<rocks::MemoryKeyspace> keyspace_;
};

class TableStore final : public StateStore {
 public:
  TableStore(std::string directory, uint64_t table_bytes)
      : directory_(std::move(directory)), table_bytes_(table_bytes) {}
  ~TableStore() override {
    crash();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  rocks::Keyspace& keyspace() override {
    if (!keyspace_) {
      open();
    }
    return *keyspace_;
  }
  void crash() override {
    do_job_ = nullptr;
    keyspace_.reset();
  }
  void become(const Maps& maps, LogIndex applied) override {
    crash();
    std::filesystem::remove_all(directory_);
    rocks::Keyspace& fresh = keyspace();
    for (int family = 0; family < rocks::kFamilies; ++family) {
      for (const auto& [key, value] : maps[static_cast<size_t>(family)]) {
        fresh.put(static_cast<rocks::Family>(family), key, value);
      }
    }
    fresh.commit(applied);
    fresh.flush();
  }
  Maps flushed() override { return committed(); }
  Maps committed() override {
    const std::unique_ptr<rocks::Reader> view = keyspace().view();
    Maps maps;
    for (int family = 0; family < rocks::kFamilies; ++family) {
      auto cursor = view->cursor(static_cast<rocks::Family>(family), {}, {});
      for (; cursor->valid(); cursor->next()) {
        maps[static_cast<size_t>(family)].emplace(cursor->key(), cursor->value());
      }
    }
    return maps;
  }
  bool work() override { return do_job_ && do_job_(); }

 private:
  void open() {
    std::filesystem::create_directories(directory_);
    rocks::KeyspaceOptions options;
    options.path = directory_;
    options.block_cache_bytes = 1 << 20;
    options.write_buffer_bytes = 64 << 10;
    options.metadata_cache_bytes = 0;
    options.table_bytes = table_bytes_;
    options.hash_seed = 1;
    options.free_bytes = [] { return uint64_t{1} << 40; };
    options.level0_files_slow = options.level0_files_max = 1'000'000;  // compaction has no schedule
    keyspace_ = rocks::open_hosted_table_keyspace(options, [this](rocks::FlusherWork work) {
                  do_job_ = std::move(work);
                }).value();
  }

  std::string directory_;
  uint64_t table_bytes_;
  std::function<bool()> do_job_;
  std::unique_ptr<rocks::Keyspace> keyspace_;
};

}  // namespace

rocks::AppliedRecord record_of(const Maps& maps) {
  std::string key;
  rocks::keys::applied_record(key);
  const auto& system = maps[static_cast<size_t>(rocks::Family::kSystem)];
  const auto it = system.find(key);
  return it == system.end() ? rocks::AppliedRecord{} : rocks::decode_applied(it->second).value();
}

std::unique_ptr<StateStore> make_memory_store(bool forgets_record) {
  return std::make_unique<MemoryStore>(forgets_record ? std::make_unique<ForgetfulKeyspace>()
                                                      : std::make_unique<rocks::MemoryKeyspace>());
}

std::unique_ptr<StateStore> make_table_store(const std::string& directory, uint64_t table_bytes) {
  return std::make_unique<TableStore>(directory, table_bytes);
}

}  // namespace kiwi::sim
