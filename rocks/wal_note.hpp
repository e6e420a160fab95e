// What every write to the log says about itself and about the writes before it: the note that ends
// its WriteBatch, and so its record in the write-ahead log. Recovery proves with notes what had
// been on disk (F59): a note is true for ever and wherever it stands. A copy of it in a value says
// nothing that was not so when the value was written, and no client can make one up, because a note
// holds eight random bytes of the log's directory that leave it in no other way.
//
// Pure functions of bytes; any thread.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace kiwi::rocks {

using WalMark = std::array<char, 8>;

// A place in the write-ahead log: a file's number and the bytes in it. Files with lower numbers lie
// before it as a whole.
struct WalPosition {
  uint64_t file = 0;
  uint64_t offset = 0;
  auto operator<=>(const WalPosition&) const = default;
};

// What is on disk: the records up to `end`, and kWalRoom behind them up to `filled`, or further
// (wal_format.hpp).
struct WalSynced {
  WalPosition end;
  uint64_t filled = 0;
  bool operator==(const WalSynced&) const = default;
};

struct WalNote {
  WalSynced synced;    // before this write began
  uint64_t bytes = 0;  // of this write's batch before its last record, the one that holds the note
  bool operator==(const WalNote&) const = default;
};

// [file: 8 BE][offset: 8 BE][filled: 8 BE][bytes: 8 BE][crc32c of these: 4 LE][mark: 8][a5]. The
// last byte is never zero, nor kWalRoom.
inline constexpr size_t kWalNoteBytes = 45;
// Of a WriteBatch's last record: its kind, a key of one byte, the commit index, the note.
inline constexpr size_t kWalNoteRecordBytes = 4 + 8 + kWalNoteBytes;

void append_wal_note(std::string& out, const WalNote& note, const WalMark& mark);
// `bytes` is as long as a note.
std::optional<WalNote> parse_wal_note(std::string_view bytes, const WalMark& mark);
// The same where one byte of it may have changed.
std::optional<WalNote> mend_wal_note(std::string_view bytes, const WalMark& mark);

void find_wal_notes(std::string_view bytes,
                    const WalMark& mark,
                    const std::function<void(const WalNote&)>& found);

// The mark's own file, `WAL-MARK`: "kiwi-wal-1\n", the mark, crc32c of both: 4 LE.
std::string encode_wal_mark(const WalMark& mark);
std::optional<WalMark> decode_wal_mark(std::string_view bytes);

}  // namespace kiwi::rocks
