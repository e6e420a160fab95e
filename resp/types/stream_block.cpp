#include "resp/types/stream_block.hpp"

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/base/decimal.hpp"

namespace kiwi::resp {

namespace {

constexpr uint8_t kBlocksNames = 1;     // flag of an entry
constexpr uint64_t kListpackFrame = 7;  // six bytes in front, one behind

// An element of so many bytes has its own length behind it, seven bits a byte.
uint64_t with_length(uint64_t bytes) {
  if (bytes <= 127) {
    return bytes + 1;
  }
  if (bytes < 16383) {
    return bytes + 2;
  }
  if (bytes < 2097151) {
    return bytes + 3;
  }
  return bytes + (bytes < 268435455 ? 4 : 5);
}

void put_distance(std::string& out, const StreamId& from, const StreamId& to) {
  put_varint(out, to.ms - from.ms);
  put_varint(out, zigzag(static_cast<int64_t>(to.sequence - from.sequence)));
}

int64_t signed_distance(uint64_t from, uint64_t to) { return static_cast<int64_t>(to - from); }

StreamId take_distance(const char*& at, const char* end, const StreamId& from) {
  StreamId id;
  id.ms = from.ms + entry_detail::varint(at, end);
  id.sequence = from.sequence + static_cast<uint64_t>(from_zigzag(entry_detail::varint(at, end)));
  return id;
}

// So many sized strings.
std::string_view take_sized(const char*& at, const char* end, uint64_t count) {
  const char* const begin = at;
  for (; count > 0; --count) {
    const uint64_t size = entry_detail::varint(at, end);
    entry_detail::bytes(at, end, size);
  }
  return entry_detail::between(begin, at);
}

uint64_t count_of_strings(const char* at, const char* end, uint64_t count) {
  if (count > static_cast<uint64_t>(end - at)) {  // each has a byte at least
    damaged_tree();
  }
  return count;
}

bool same_names(const StreamBlock& block, StreamFields fields) {
  if (fields.size() != 2 * block.fields) {
    return false;
  }
  std::string_view at = block.names;
  for (size_t i = 0; i < fields.size(); i += 2) {
    if (entry_detail::sized(at) != fields[i]) {
      return false;
    }
  }
  return true;
}

}  // namespace

uint64_t listpack_bytes(int64_t number) {
  const auto within = [number](int bits) {
    const int64_t half = int64_t{1} << (bits - 1);
    return number >= -half && number < half;
  };
  if (number >= 0 && number <= 127) {
    return with_length(1);
  }
  if (within(13)) {
    return with_length(2);
  }
  if (within(16)) {
    return with_length(3);
  }
  if (within(24)) {
    return with_length(4);
  }
  return with_length(within(32) ? 5 : 9);
}

uint64_t listpack_bytes(std::string_view text) {
  if (const auto number = parse_decimal(text)) {
    return listpack_bytes(*number);
  }
  if (text.size() < 64) {
    return with_length(1 + text.size());
  }
  return with_length((text.size() < 4096 ? 2 : 5) + text.size());
}

uint64_t StreamBlock::node_bytes() const {
  return kListpackFrame + bytes + listpack_bytes(static_cast<int64_t>(live)) +
         listpack_bytes(static_cast<int64_t>(deleted));
}

StreamBlock block_of(const LeafEntry& entry) {
  StreamBlock block;
  block.first = id_at(entry.key);
  const char* at = entry.value.data();
  const char* const end = at + entry.value.size();
  block.live = entry_detail::varint(at, end);
  block.deleted = entry_detail::varint(at, end);
  block.bytes = entry_detail::varint(at, end);
  block.last = take_distance(at, end, block.first);
  block.fields = count_of_strings(at, end, entry_detail::varint(at, end));
  block.names = take_sized(at, end, block.fields);
  block.entries = entry_detail::between(at, end);
  return block;
}

void encode_block(std::string& out, const StreamBlock& block, std::string_view more) {
  std::string head;  // small: it stays where it is
  put_varint(head, block.live);
  put_varint(head, block.deleted);
  put_varint(head, block.bytes);
  put_distance(head, block.first, block.last);
  put_varint(head, block.fields);
  append_id(out, block.first);
  put_varint(out, head.size() + block.names.size() + block.entries.size() + more.size());
  out.append(head);
  out.append(block.names);
  out.append(block.entries);
  out.append(more);
}

StreamBlock new_block(const StreamId& first, StreamFields fields, std::string& names) {
  StreamBlock block;
  block.first = block.last = first;
  block.fields = fields.size() / 2;
  block.bytes = listpack_bytes(static_cast<int64_t>(block.fields)) + listpack_bytes(int64_t{0});
  names.clear();
  for (size_t i = 0; i < fields.size(); i += 2) {
    put_sized(names, fields[i]);
    block.bytes += listpack_bytes(fields[i]);
  }
  block.names = names;
  return block;
}

void add_entry(std::string& out, StreamBlock& block, const StreamId& id, StreamFields fields) {
  CHECK_INVARIANT(id >= block.first && fields.size() % 2 == 0);
  const bool same = same_names(block, fields);
  const auto count = static_cast<int64_t>(fields.size() / 2);
  put_u8(out, same ? kBlocksNames : 0);
  put_distance(out, block.first, id);
  block.bytes += listpack_bytes(int64_t{same ? 2 : 0}) +
                 listpack_bytes(signed_distance(block.first.ms, id.ms)) +
                 listpack_bytes(signed_distance(block.first.sequence, id.sequence)) +
                 listpack_bytes(same ? count + 3 : 2 * count + 4);  // how many elements it has
  if (!same) {
    put_varint(out, static_cast<uint64_t>(count));
    block.bytes += listpack_bytes(count);
  }
  for (size_t i = 0; i < fields.size(); ++i) {
    if (!same || i % 2 == 1) {
      put_sized(out, fields[i]);
      block.bytes += listpack_bytes(fields[i]);
    }
  }
  ++block.live;
  block.last = id;
}

StreamEntry stream_entry(const StreamBlock& block, std::string_view at) {
  const char* next = at.data();
  const char* const end = next + at.size();
  StreamEntry entry;
  const auto flags = static_cast<uint8_t>(*next++);
  entry.own_names = (flags & kBlocksNames) == 0;
  entry.id = take_distance(next, end, block.first);
  entry.fields = block.fields;
  if (entry.own_names) {
    entry.fields = count_of_strings(next, end, entry_detail::varint(next, end));
  } else {
    entry.names = block.names;
  }
  entry.values = take_sized(next, end, entry.own_names ? 2 * entry.fields : entry.fields);
  entry.bytes = entry_detail::between(at.data(), next);
  return entry;
}

}  // namespace kiwi::resp
