#include "rocks/wal_tail.hpp"

#include <algorithm>
#include <string>

namespace kiwi::rocks {

namespace {

bool all_of(char byte, std::string_view bytes) {
  return bytes.find_first_not_of(byte) == std::string_view::npos;
}

class Tail {
 public:
  Tail(WalSource& source, uint64_t begin, uint64_t end, uint64_t filled)
      : source_(source), begin_(begin), end_(end), filled_(filled) {
    static_assert(kMissingMin < kWalSector, "a sector shows itself whether it is old");
    static_assert(kWalBlock % kWalSector == 0, "no sector lies in two blocks");
    static_assert(kWalNoteRecordBytes > kWalNoteBytes);
  }

  // Room is made where each write is synced before the next one: nothing but this one was on its
  // way then.
  bool is_alone() {
    if (filled_ > begin_) {
      return true;
    }
    const uint64_t last = source_.size() - 1;
    const std::string_view bytes = source_.block(last / kWalBlock);
    return bytes.size() >= kMissingMin &&
           all_of(kWalRoom, bytes.substr(bytes.size() - kMissingMin));
  }
  // Of a write that is alone each sector is new, or holds no byte of it: a header that is there
  // says how the record goes on, and nothing lies behind the end that it gives.
  bool headers_are_wrong() {
    for (uint64_t block = first_block(); block <= last_block(); ++block) {
      if (header_is_there(block) && header_is_wrong(block)) {
        return true;
      }
    }
    return false;
  }

  bool reaches_its_end(const WalMark& mark) {
    const std::optional<WalNote> note = own_note(mark);
    return (note && note->bytes + kWalNoteRecordBytes == payload_bytes()) || headers_agree();
  }
  // No record begins like this, whatever is missing behind it.
  bool begins_wrong() {
    const std::string_view bytes = part(first_block());
    if (begin_ % kWalSector + kWalHeader > kWalSector || bytes.size() < kWalHeader) {
      return false;  // its header was not written as one piece, or is not all there
    }
    const uint64_t room = kWalBlock - begin_ % kWalBlock - kWalHeader;
    switch (wal_type(bytes)) {
      case 0:
      case static_cast<uint8_t>(kWalRoom):
        return false;
      case kWalFull:
        return wal_length(bytes) > room;
      case kWalFirst:
        return wal_length(bytes) != room;
      default:
        return true;
    }
  }
  bool lacks_a_sector() {
    for (uint64_t from = begin_; from < end_; from = (from / kWalSector + 1) * kWalSector) {
      const uint64_t to = std::min(end_, (from / kWalSector + 1) * kWalSector);
      const bool few = to - from < kWalHeader && from == begin_;
      if (few ? lacks_first_bytes(to - from) : lacks(from, to)) {
        return true;
      }
    }
    return false;
  }

 private:
  uint64_t first_block() const { return begin_ / kWalBlock; }
  uint64_t last_block() const { return (end_ - 1) / kWalBlock; }
  // What of a block belongs to the record, its header included.
  std::string_view part(uint64_t block) {
    std::string_view bytes = source_.block(block);
    const uint64_t start = block * kWalBlock;
    const uint64_t from = std::max(begin_, start) - start;
    const uint64_t to = std::min(end_ - start, uint64_t{bytes.size()});
    return bytes.substr(from, to - from);
  }
  uint64_t header_at(uint64_t block) const { return std::max(begin_, block * kWalBlock); }
  bool header_is_there(uint64_t block) {
    const uint64_t at = header_at(block);
    if (end_ <= at + kWalHeader) {
      return false;
    }
    const std::string_view bytes = part(block);
    const uint64_t here = kWalSector - at % kWalSector;
    const auto has_bytes = [&](uint64_t from, uint64_t count) {
      return without_wal_room(bytes.substr(std::min(from, bytes.size()), count)) != 0;
    };
    return has_bytes(0, here) && (here >= kWalHeader || has_bytes(here, kWalSector));
  }
  bool header_is_wrong(uint64_t block) {
    const std::string_view bytes = part(block);
    const uint64_t at = header_at(block);
    const uint64_t room = (block + 1) * kWalBlock - at - kWalHeader;
    const uint8_t type = wal_type(bytes);
    const bool first = block == first_block();
    if (type == (first ? kWalFull : kWalLast)) {
      return wal_length(bytes) > room || at + kWalHeader + wal_length(bytes) < end_;
    }
    return type != (first ? kWalFirst : kWalMiddle) || wal_length(bytes) != room;
  }
  // Of the record in all its blocks, if it ends at end_; 0 if it cannot.
  uint64_t payload_bytes() const {
    const uint64_t headers = (last_block() - first_block() + 1) * kWalHeader;
    return end_ - begin_ > headers ? end_ - begin_ - headers : 0;
  }

  // The note that would end the record, one damaged byte forgiven.
  std::optional<WalNote> own_note(const WalMark& mark) {
    std::string bytes;
    for (uint64_t block = last_block() + 1; block-- > first_block();) {
      std::string_view payload = part(block);
      payload.remove_prefix(std::min(payload.size(), size_t{kWalHeader}));
      const size_t wanted = kWalNoteBytes - bytes.size();
      payload.remove_prefix(payload.size() - std::min(payload.size(), wanted));
      bytes.insert(0, payload);
      if (bytes.size() == kWalNoteBytes) {
        return mend_wal_note(bytes, mark);
      }
    }
    return std::nullopt;
  }

  // Do the headers describe one record that ends at end_?
  bool headers_agree() {
    for (uint64_t block = first_block(); block <= last_block(); ++block) {
      const std::string_view bytes = part(block);
      const bool first = block == first_block();
      const bool last = block == last_block();
      const uint8_t type = first ? (last ? kWalFull : kWalFirst) : (last ? kWalLast : kWalMiddle);
      if (bytes.size() < kWalHeader || wal_type(bytes) != type ||
          kWalHeader + wal_length(bytes) != bytes.size()) {
        return false;
      }
    }
    return true;
  }

  bool lacks(uint64_t from, uint64_t to) {
    const uint64_t start = std::max(from, to - std::min(to, kMissingMin));
    const uint64_t block = from / kWalBlock;
    return is_old(source_.block(block).substr(start - block * kWalBlock, to - start), to);
  }
  bool is_old(std::string_view bytes, uint64_t to) const {
    return all_of(kWalRoom, bytes) || (to > filled_ && all_of('\0', bytes));
  }

  // The record begins with less than a header in its first sector. So few bytes may be its own, so
  // they count only if with what belongs there in their place all is well.
  bool lacks_first_bytes(uint64_t count) {
    const std::string_view bytes = part(first_block());
    const std::string_view own = bytes.substr(0, count);
    // Zeros also where the file was cut before (wal_scan.cpp).
    if (bytes.size() < kWalHeader || !(is_old(own, begin_ + count) || all_of('\0', own))) {
      return false;
    }
    const auto type = first_block() == last_block() ? kWalFull : kWalFirst;
    const std::string header = wal_header(type, bytes.substr(kWalHeader));
    return header.substr(count) == bytes.substr(count, kWalHeader - count);
  }

  WalSource& source_;
  const uint64_t begin_;
  const uint64_t end_;
  const uint64_t filled_;
};

}  // namespace

bool sectors_are_missing(
    WalSource& source, uint64_t begin, uint64_t end, uint64_t filled, const WalMark& mark) {
  Tail tail(source, begin, end, filled);
  if (tail.is_alone() && tail.headers_are_wrong()) {
    return false;
  }
  return tail.reaches_its_end(mark) ? tail.lacks_a_sector() : !tail.begins_wrong();
}

}  // namespace kiwi::rocks
