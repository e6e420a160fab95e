#include "rocks/failed_reads.hpp"

#include <utility>

#include <rocksdb/file_system.h>
#include <rocksdb/statistics.h>

#include "config/base/check.hpp"
#include "rocks/rocksdb_support.hpp"

namespace kiwi::rocks {

namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

thread_local int64_t lost = 0;

class ReadFile final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  ReadFile(std::unique_ptr<rocksdb::FSRandomAccessFile>&& file, std::string path)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), path_(std::move(path)) {}

  IOStatus Read(uint64_t offset,
                size_t bytes,
                const IOOptions& options,
                rocksdb::Slice* result,
                char* scratch,
                IODebugContext* debug) const override {
    IOStatus status =
        FSRandomAccessFileOwnerWrapper::Read(offset, bytes, options, result, scratch, debug);
    check(status);
    return status;
  }
  IOStatus MultiRead(rocksdb::FSReadRequest* requests,
                     size_t count,
                     const IOOptions& options,
                     IODebugContext* debug) override {
    IOStatus status = FSRandomAccessFileOwnerWrapper::MultiRead(requests, count, options, debug);
    check(status);
    for (size_t i = 0; i < count; ++i) {
      check(requests[i].status);
    }
    return status;
  }

 private:
  // What is not there to be used, or was called off, is no failure.
  void check(const IOStatus& status) const {
    if (!status.ok() && !status.IsNotSupported() && !status.IsAborted()) {
      fatal_status("reading", path_, status);
    }
  }

  const std::string path_;
};

// A block that is read comes into the cache, or the cache says why not: whoever looked for it in
// vain and did not bring it met an error.
class BlockCounter final : public rocksdb::Statistics {
 public:
  BlockCounter() { set_stats_level(rocksdb::StatsLevel::kDisableAll); }  // no clock is asked

  const char* Name() const override { return "kiwi.BlockCounter"; }
  void recordTick(uint32_t ticker, uint64_t count) override {
    switch (ticker) {
      case rocksdb::Tickers::BLOCK_CACHE_MISS:
      case rocksdb::Tickers::NO_FILE_ERRORS:
        lost += static_cast<int64_t>(count);
        break;
      case rocksdb::Tickers::BLOCK_CACHE_ADD:
      case rocksdb::Tickers::BLOCK_CACHE_ADD_FAILURES:
        lost -= static_cast<int64_t>(count);
        break;
      default:
        break;
    }
  }
  uint64_t getTickerCount(uint32_t) const override { return 0; }
  void setTickerCount(uint32_t, uint64_t) override {}
  uint64_t getAndResetTickerCount(uint32_t) override { return 0; }
  void histogramData(uint32_t, rocksdb::HistogramData* data) const override { *data = {}; }
  void recordInHistogram(uint32_t, uint64_t) override {}
  bool HistEnabledForType(uint32_t) const override { return false; }
};

}  // namespace

std::unique_ptr<rocksdb::FSRandomAccessFile> stop_when_reads_fail(
    std::unique_ptr<rocksdb::FSRandomAccessFile> file, std::string path) {
  CHECK_INVARIANT(file != nullptr && !path.empty());
  return std::make_unique<ReadFile>(std::move(file), std::move(path));
}

std::shared_ptr<rocksdb::Statistics> make_block_counter() {
  return std::make_shared<BlockCounter>();
}

int64_t blocks_lost() { return lost; }

}  // namespace kiwi::rocks
