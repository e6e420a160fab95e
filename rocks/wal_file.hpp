// Write-ahead log files whose blocks exist before they are written: a thread of its own fills each
// file with zeros a few MiB ahead of the writer. A sync then has no new size and no new blocks to
// record, which makes it a third cheaper and keeps its tail short.
//
// What a crash leaves is a log that ends in zeros, which log_recovery.cpp cuts off. Only the newest
// file may end so: before a new one is made, the one before it is cut to its length and synced, so
// that zeros in an older file are damage, not room (F16).
//
// The RocksDB type stays inside; RocksLog gives this to its database. Any thread.
#pragma once

#include <memory>

#include <rocksdb/env.h>

namespace kiwi::rocks {

// A RocksDB environment that differs from the default one in *.log files alone. Outlives the
// database that uses it.
std::unique_ptr<rocksdb::Env> make_zero_ahead_env();

}  // namespace kiwi::rocks
