#include "rocks/wal_note.hpp"

#include <cstring>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "rocks/crc32c.hpp"
#include "rocks/wal_format.hpp"

namespace kiwi::rocks {

namespace {

constexpr size_t kFieldBytes = 32;
constexpr size_t kSumBytes = 4;
constexpr char kEnd = '\xa5';
constexpr std::string_view kMarkHead = "kiwi-wal-1\n";
static_assert(kFieldBytes == 4 * sizeof(uint64_t) && kSumBytes == sizeof(uint32_t));
static_assert(kFieldBytes + kSumBytes + sizeof(WalMark) + 1 == kWalNoteBytes);
static_assert(kEnd != '\0' && kEnd != kWalRoom, "a file without its room ends with its last note");

std::string_view view_of(const WalMark& mark) { return {mark.data(), mark.size()}; }

bool sum_matches(std::string_view summed, std::string_view sum) {
  uint32_t expected = 0;
  std::memcpy(&expected, sum.data(), sizeof(expected));
  return crc32c(summed) == expected;
}

}  // namespace

void append_wal_note(std::string& out, const WalNote& note, const WalMark& mark) {
  const size_t start = out.size();
  put_be(out, note.synced.end.file);
  put_be(out, note.synced.end.offset);
  put_be(out, note.synced.filled);
  put_be(out, note.bytes);
  put_le(out, crc32c(std::string_view(out).substr(start)));
  out.append(view_of(mark));
  out.push_back(kEnd);
  CHECK_INVARIANT(out.size() - start == kWalNoteBytes);
}

std::optional<WalNote> parse_wal_note(std::string_view bytes, const WalMark& mark) {
  CHECK_INVARIANT(bytes.size() == kWalNoteBytes);
  if (bytes.back() != kEnd || bytes.substr(kFieldBytes + kSumBytes, mark.size()) != view_of(mark) ||
      !sum_matches(bytes.substr(0, kFieldBytes), bytes.substr(kFieldBytes, kSumBytes))) {
    return std::nullopt;
  }
  WalNote note;
  note.synced.end.file = get_be<uint64_t>(bytes);
  note.synced.end.offset = get_be<uint64_t>(bytes.substr(8));
  note.synced.filled = get_be<uint64_t>(bytes.substr(16));
  note.bytes = get_be<uint64_t>(bytes.substr(24));
  return note;
}

std::optional<WalNote> mend_wal_note(std::string_view bytes, const WalMark& mark) {
  std::string mended(bytes);
  std::optional<WalNote> note = parse_wal_note(mended, mark);
  for (size_t at = 0; at < mended.size() && !note; ++at) {
    for (int value = 0; value < 256 && !note; ++value) {
      mended[at] = static_cast<char>(value);
      note = parse_wal_note(mended, mark);
    }
    mended[at] = bytes[at];
  }
  return note;
}

void find_wal_notes(std::string_view bytes,
                    const WalMark& mark,
                    const std::function<void(const WalNote&)>& found) {
  constexpr size_t kBefore = kFieldBytes + kSumBytes;
  for (size_t at = kBefore; at <= bytes.size();) {
    at = bytes.find(view_of(mark), at);
    if (at == std::string_view::npos || at - kBefore + kWalNoteBytes > bytes.size()) {
      return;
    }
    if (auto note = parse_wal_note(bytes.substr(at - kBefore, kWalNoteBytes), mark)) {
      found(*note);
    }
    ++at;
  }
}

std::string encode_wal_mark(const WalMark& mark) {
  std::string bytes(kMarkHead);
  bytes.append(view_of(mark));
  put_le(bytes, crc32c(bytes));
  return bytes;
}

std::optional<WalMark> decode_wal_mark(std::string_view bytes) {
  WalMark mark{};
  if (bytes.size() != kMarkHead.size() + mark.size() + kSumBytes || !bytes.starts_with(kMarkHead) ||
      !sum_matches(bytes.substr(0, bytes.size() - kSumBytes),
                   bytes.substr(bytes.size() - kSumBytes))) {
    return std::nullopt;
  }
  std::memcpy(mark.data(), bytes.data() + kMarkHead.size(), mark.size());
  return mark;
}

}  // namespace kiwi::rocks
