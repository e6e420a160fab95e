#include "resp/types/packed.hpp"

#include <algorithm>
#include <optional>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/base/decimal.hpp"

namespace kiwi::resp {

namespace {

[[noreturn]] void damaged() {
  fatal("a hash or set of the state database is damaged; replace this node's data directory");
}

size_t varint_bytes(uint64_t value) {
  size_t bytes = 1;
  for (; value >= 0x80; value >>= 7) {
    ++bytes;
  }
  return bytes;
}

// What stands in front of a name.
uint64_t head_of(HashedKind kind, const PackedEntry& entry) {
  return kind == HashedKind::kSet
             ? entry.name.size()
             : uint64_t{entry.name.size()} << 1 | static_cast<uint64_t>(entry.deadline_ms != 0);
}

}  // namespace

bool PackedEntries::next(PackedEntry& entry) {
  if (at_ == bytes_.size()) {
    return false;
  }
  ByteReader in(bytes_.substr(at_));
  entry.begin = at_;
  if (kind_ == HashedKind::kSet) {
    entry.name = in.sized();
  } else {
    const uint64_t head = in.varint();
    entry.name = in.take(head >> 1);
    entry.deadline_ms = (head & 1) != 0 ? in.le<int64_t>() : 0;
    entry.value = in.sized();
  }
  if (!in.ok()) {
    damaged();
  }
  at_ = bytes_.size() - in.rest().size();
  entry.end = at_;
  return true;
}

namespace packing {

bool find(HashedKind kind, std::string_view bytes, std::string_view name, PackedEntry& entry) {
  for (PackedEntries entries(kind, bytes); entries.next(entry);) {
    if (entry.name == name) {
      return true;
    }
  }
  return false;
}

size_t entry_bytes(HashedKind kind, const PackedEntry& entry) {
  const size_t name = varint_bytes(head_of(kind, entry)) + entry.name.size();
  if (kind == HashedKind::kSet) {
    return name;
  }
  return name + (entry.deadline_ms != 0 ? sizeof entry.deadline_ms : 0) +
         varint_bytes(entry.value.size()) + entry.value.size();
}

void append(std::string& bytes, HashedKind kind, const PackedEntry& entry) {
  put_varint(bytes, head_of(kind, entry));
  bytes.append(entry.name);
  if (kind == HashedKind::kHash) {
    if (entry.deadline_ms != 0) {
      put_le(bytes, entry.deadline_ms);
    }
    put_sized(bytes, entry.value);
  }
}

void replace(
    std::string& bytes, size_t begin, size_t end, HashedKind kind, const PackedEntry& entry) {
  if (begin == bytes.size()) {
    return append(bytes, kind, entry);
  }
  std::string fresh;
  append(fresh, kind, entry);
  bytes.replace(begin, end - begin, fresh);
}

Deadlines deadlines(std::string_view bytes, int64_t now_ms) {
  Deadlines found;
  PackedEntry entry;
  for (PackedEntries entries(HashedKind::kHash, bytes); entries.next(entry);) {
    if (entry.is_due(now_ms)) {
      ++found.due;
    } else if (entry.deadline_ms != 0) {
      ++found.left;
      found.first_ms =
          found.first_ms == 0 ? entry.deadline_ms : std::min(found.first_ms, entry.deadline_ms);
    }
  }
  return found;
}

void drop_due(std::string& bytes, int64_t now_ms) {
  std::string left;
  left.reserve(bytes.size());
  PackedEntry entry;
  for (PackedEntries entries(HashedKind::kHash, bytes); entries.next(entry);) {
    if (!entry.is_due(now_ms)) {
      left.append(bytes, entry.begin, entry.end - entry.begin);
    }
  }
  bytes.swap(left);
}

size_t place_of_integer(std::string_view bytes, int64_t integer) {
  PackedEntry entry;
  for (PackedEntries entries(HashedKind::kSet, bytes); entries.next(entry);) {
    const std::optional<int64_t> other = parse_decimal(entry.name);
    if (!other) {
      damaged();
    }
    if (*other > integer) {
      return entry.begin;
    }
  }
  return bytes.size();
}

}  // namespace packing
}  // namespace kiwi::resp
