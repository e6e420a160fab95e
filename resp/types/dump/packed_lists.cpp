#include "resp/types/dump/packed_lists.hpp"

#include <charconv>
#include <limits>
#include <optional>
#include <system_error>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"

namespace kiwi::resp::dump {

namespace {

constexpr uint8_t kEnd = 0xff;
constexpr uint16_t kUncounted = 0xffff;  // the number of entries does not fit into its field

// Bytes from the front, never more than there are.
class Front {
 public:
  explicit Front(std::string_view bytes) : bytes_(bytes) {}
  bool ok() const { return ok_; }
  bool empty() const { return bytes_.empty(); }
  size_t left() const { return bytes_.size(); }

  std::string_view take(size_t size) {
    if (size > bytes_.size()) {
      ok_ = false;
      size = bytes_.size();
    }
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  uint8_t byte() {
    const std::string_view one = take(1);
    return one.empty() ? uint8_t{0} : static_cast<uint8_t>(one[0]);
  }
  // Of 1 to 8 bytes.
  uint64_t little(size_t size) {
    uint64_t value = 0;
    const std::string_view raw = take(size);
    for (size_t i = 0; i < raw.size(); ++i) {
      value |= uint64_t{static_cast<uint8_t>(raw[i])} << (8 * i);
    }
    return value;
  }
  uint64_t big(size_t size) {
    uint64_t value = 0;
    for (const char one : take(size)) {
      value = value << 8 | static_cast<uint8_t>(one);
    }
    return value;
  }
  int64_t signed_little(size_t size) {
    const unsigned unused = static_cast<unsigned>(64 - 8 * size);
    return static_cast<int64_t>(little(size) << unused) >> unused;
  }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

bool visit_number(const EntryVisit& visit, int64_t value) {
  char text[24];
  const auto written = std::to_chars(text, text + sizeof(text), value);
  return visit(std::string_view(text, static_cast<size_t>(written.ptr - text)));
}

std::optional<int64_t> canonical_integer(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || text.size() > 20 || error != std::errc() ||
      end != text.data() + text.size()) {
    return std::nullopt;
  }
  char again[24];
  const auto written = std::to_chars(again, again + sizeof(again), value);
  const std::string_view canonical(again, static_cast<size_t>(written.ptr - again));
  return canonical == text ? std::optional(value) : std::nullopt;  // no "007", no "-0"
}

// Of an entry's length, written behind it so that a list can be walked backwards.
size_t back_length_bytes(size_t length) {
  size_t bytes = 1;
  for (size_t limit = 127; length > limit && bytes < 5; limit = limit << 7 | 127) {
    ++bytes;
  }
  return bytes;
}

bool listpack_entry(Front& in, const EntryVisit& visit) {
  const size_t before = in.left();
  const uint8_t first = in.byte();
  bool wanted = false;
  auto text = [&](size_t size) { wanted = visit(in.take(size)) && in.ok(); };
  auto number = [&](int64_t value) { wanted = in.ok() && visit_number(visit, value); };
  if (first < 0x80) {
    number(first);
  } else if (first < 0xc0) {
    text(first & 0x3f);
  } else if (first < 0xe0) {  // 13 bits, signed
    const uint64_t bits = uint64_t{first & 0x1fu} << 8 | in.byte();
    number(bits >= 1u << 12 ? static_cast<int64_t>(bits) - (1 << 13) : static_cast<int64_t>(bits));
  } else if (first < 0xf0) {
    const size_t high = size_t{first & 0x0fu} << 8;
    text(high | in.byte());
  } else if (first == 0xf0) {
    text(in.little(4));
  } else if (first <= 0xf4) {
    constexpr size_t kBytes[] = {2, 3, 4, 8};
    number(in.signed_little(kBytes[first - 0xf1]));
  }
  if (!wanted || !in.ok()) {
    return false;
  }
  const size_t length = before - in.left();
  uint64_t said = 0;  // the back length: 7 bits a byte, the last first
  for (const char one : in.take(back_length_bytes(length))) {
    said = said << 7 | (static_cast<uint8_t>(one) & 0x7f);
  }
  return in.ok() && said == length;
}

bool ziplist_entry(Front& in, const EntryVisit& visit) {
  if (in.byte() == 0xfe) {
    in.take(4);  // how long the entry before is: only for walking backwards
  }
  const uint8_t first = in.byte();
  auto text = [&](size_t size) {
    const std::string_view bytes = in.take(size);
    return in.ok() && visit(bytes);
  };
  auto number = [&](size_t size) {
    const int64_t value = in.signed_little(size);
    return in.ok() && visit_number(visit, value);
  };
  if (!in.ok()) {
    return false;
  }
  switch (first >> 6) {
    case 0:
      return text(first);
    case 1: {
      const size_t high = size_t{first & 0x3fu} << 8;
      return text(high | in.byte());
    }
    case 2:
      return first == 0x80 && text(in.big(4));
    default:
      break;
  }
  switch (first) {
    case 0xc0:
      return number(2);
    case 0xd0:
      return number(4);
    case 0xe0:
      return number(8);
    case 0xf0:
      return number(3);
    case 0xfe:
      return number(1);
    default:
      return first > 0xf0 && first < 0xfe && visit_number(visit, first - 0xf1);
  }
}

// The header of ziplist and listpack says how many bytes and entries there are.
bool read_counted(Front& in,
                  uint64_t entries,
                  const EntryVisit& visit,
                  bool (*entry)(Front&, const EntryVisit&)) {
  uint64_t found = 0;
  for (; in.left() > 1; ++found) {
    if (!entry(in, visit)) {
      return false;
    }
  }
  return in.ok() && in.byte() == kEnd && in.ok() && (entries == kUncounted || entries == found);
}

}  // namespace

bool read_listpack(std::string_view bytes, const EntryVisit& visit) {
  Front in(bytes);
  const uint64_t size = in.little(4);
  const uint64_t entries = in.little(2);
  return in.ok() && size == bytes.size() && read_counted(in, entries, visit, listpack_entry);
}

bool read_ziplist(std::string_view bytes, const EntryVisit& visit) {
  Front in(bytes);
  const uint64_t size = in.little(4);
  in.take(4);  // where the last entry is
  const uint64_t entries = in.little(2);
  return in.ok() && size == bytes.size() && read_counted(in, entries, visit, ziplist_entry);
}

bool read_zipmap(std::string_view bytes, const EntryVisit& visit) {
  Front in(bytes);
  in.byte();  // how many pairs, if below 254
  for (bool value = false; in.ok(); value = !value) {
    const uint8_t first = in.byte();
    if (first == kEnd) {
      return in.ok() && !value && in.empty();
    }
    const size_t size = first == 0xfe ? in.little(4) : first;
    const size_t unused = value ? in.byte() : 0;
    const std::string_view text = in.take(size);
    if (!in.ok() || !visit(text)) {
      return false;
    }
    in.take(unused);
  }
  return false;
}

bool read_intset(std::string_view bytes, const EntryVisit& visit) {
  Front in(bytes);
  const uint64_t width = in.little(4);
  const uint64_t count = in.little(4);
  if (!in.ok() || (width != 2 && width != 4 && width != 8) || in.left() != width * count) {
    return false;
  }
  std::optional<int64_t> before;
  for (uint64_t i = 0; i < count; ++i) {
    const int64_t value = in.signed_little(width);
    if ((before && *before >= value) || !visit_number(visit, value)) {
      return false;
    }
    before = value;
  }
  return true;
}

ListpackWriter::ListpackWriter() : bytes_(6, '\0') {}

void ListpackWriter::add(std::string_view entry) {
  const size_t begin = bytes_.size();
  if (const std::optional<int64_t> number = canonical_integer(entry)) {
    add_integer(*number);
  } else {
    add_text(entry);
  }
  end_entry(begin);
  ++entries_;
}

void ListpackWriter::add_integer(int64_t value) {
  auto little = [&](uint8_t first, size_t size) {
    put_u8(bytes_, first);
    for (size_t i = 0; i < size; ++i) {
      put_u8(bytes_, static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * i)));
    }
  };
  if (value >= 0 && value <= 127) {
    put_u8(bytes_, static_cast<uint8_t>(value));
  } else if (value >= -4096 && value <= 4095) {
    const uint64_t bits = static_cast<uint64_t>(value) & 0x1fff;
    put_u8(bytes_, static_cast<uint8_t>(0xc0 | bits >> 8));
    put_u8(bytes_, static_cast<uint8_t>(bits));
  } else if (value >= INT16_MIN && value <= INT16_MAX) {
    little(0xf1, 2);
  } else if (value >= -(1 << 23) && value < 1 << 23) {
    little(0xf2, 3);
  } else if (value >= INT32_MIN && value <= INT32_MAX) {
    little(0xf3, 4);
  } else {
    little(0xf4, 8);
  }
}

void ListpackWriter::add_text(std::string_view text) {
  if (text.size() < 64) {
    put_u8(bytes_, static_cast<uint8_t>(0x80 | text.size()));
  } else if (text.size() < 4096) {
    put_u8(bytes_, static_cast<uint8_t>(0xe0 | text.size() >> 8));
    put_u8(bytes_, static_cast<uint8_t>(text.size()));
  } else {
    put_u8(bytes_, 0xf0);
    put_le(bytes_, static_cast<uint32_t>(text.size()));
  }
  bytes_.append(text);
}

void ListpackWriter::end_entry(size_t begin) {
  const size_t length = bytes_.size() - begin;
  const size_t size = back_length_bytes(length);
  for (size_t i = 0; i < size; ++i) {
    const auto bits = static_cast<uint8_t>(length >> (7 * (size - 1 - i)) & 0x7f);
    put_u8(bytes_, static_cast<uint8_t>(i == 0 ? bits : bits | 0x80));
  }
}

std::string ListpackWriter::finish() {
  put_u8(bytes_, kEnd);
  CHECK_INVARIANT(bytes_.size() <= UINT32_MAX);
  const auto size = static_cast<uint32_t>(bytes_.size());
  const auto count = static_cast<uint16_t>(entries_ < kUncounted ? entries_ : kUncounted);
  for (size_t i = 0; i < 4; ++i) {
    bytes_[i] = static_cast<char>(size >> (8 * i));
  }
  bytes_[4] = static_cast<char>(count);
  bytes_[5] = static_cast<char>(count >> 8);
  entries_ = 0;
  return std::exchange(bytes_, std::string(6, '\0'));
}

std::string write_intset(const std::vector<int64_t>& values) {
  size_t width = 2;
  for (const int64_t value : values) {
    if (value < INT32_MIN || value > INT32_MAX) {
      width = 8;
      break;
    }
    if (value < INT16_MIN || value > INT16_MAX) {
      width = 4;
    }
  }
  std::string out;
  put_le(out, static_cast<uint32_t>(width));
  put_le(out, static_cast<uint32_t>(values.size()));
  for (const int64_t value : values) {
    for (size_t i = 0; i < width; ++i) {
      put_u8(out, static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * i)));
    }
  }
  return out;
}

}  // namespace kiwi::resp::dump
