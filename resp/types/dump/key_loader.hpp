// A value in RDB's bytes becomes a key: RESTORE and --import. Nothing is adopted as bytes: each
// element is decoded with bounds and put into the key by its type's own methods, so whatever the
// bytes say, the records are such as commands could have made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "resp/types/database.hpp"
#include "resp/types/dump/rdb_reader.hpp"

namespace kiwi::resp::dump {

enum class LoadOutcome : uint8_t {
  kDone,
  kBadData,       // the bytes are no such value
  kNotSupported,  // they may be one, but nothing here could hold it
  kTooLong,       // the same, for a name, field or member has more bytes than there may be
  kEmpty,         // a collection without elements, for which there is no key
};

struct LoadOptions {
  int64_t expire_at_ms = 0;  // of the key; 0 = never
  int64_t now_ms = 0;        // fields of a hash that are over then are left out
  // Bytes of elements that cost nothing: they came along. What a compressed value holds beyond them
  // is work of the entry (F61), before it is unpacked: a short payload must fill neither memory nor
  // the state.
  size_t free_bytes = 0;
  // Not empty: called between elements whenever about `pause_bytes` of them came; the key is saved
  // then. It may end entry and turn. For who loads keys that nobody can see yet.
  std::function<void()> pause = nullptr;
  size_t pause_bytes = 0;
};

// Reads one body of that type off the front of `in` into a key that is not live. kDone without a
// key: all it had was over. Not kDone: the caller takes back what was written, or, with pauses,
// removes the key, which is whole as far as it goes.
LoadOutcome load_key(
    Database& database, const Key& key, uint8_t type, RdbReader& in, const LoadOptions& options);

}  // namespace kiwi::resp::dump
