#include "resp/types/dump/object_writer.hpp"

#include <charconv>
#include <system_error>

#include "config/base/bytes.hpp"

namespace kiwi::resp::dump {

namespace {

enum : uint8_t {
  kTypeString = 0,
  kTypeSet = 2,
  kTypeHash = 4,
  kTypeSortedSet = 5,
  kTypeIntset = 11,
  kTypeListpackHash = 16,
  kTypeListpackSortedSet = 17,
  kTypeQuicklist = 18,
  kTypeHashDeadlines = 24,
};

constexpr size_t kNodeBytes = 8192;     // of a quicklist's listpack: Redis' default
constexpr size_t kNumberTextMost = 11;  // "-2147483648"
constexpr uint8_t kPlainNode = 1;
constexpr uint8_t kPackedNode = 2;

// Strings that are 32-bit numbers in their canonical form are written as such.
bool put_number(std::string& out, std::string_view text) {
  int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || text.size() > kNumberTextMost || error != std::errc() ||
      end != text.data() + text.size() || std::to_string(value) != text) {
    return false;
  }
  if (value >= INT8_MIN && value <= INT8_MAX) {
    put_u8(out, 0xc0);
    put_le(out, static_cast<int8_t>(value));
  } else if (value >= INT16_MIN && value <= INT16_MAX) {
    put_u8(out, 0xc1);
    put_le(out, static_cast<int16_t>(value));
  } else {
    put_u8(out, 0xc2);
    put_le(out, value);
  }
  return true;
}

}  // namespace

void put_length(std::string& out, uint64_t length) {
  if (length < 1u << 6) {
    put_u8(out, static_cast<uint8_t>(length));
  } else if (length < 1u << 14) {
    put_u8(out, static_cast<uint8_t>(0x40 | length >> 8));
    put_u8(out, static_cast<uint8_t>(length));
  } else if (length <= UINT32_MAX) {
    put_u8(out, 0x80);
    put_be(out, static_cast<uint32_t>(length));
  } else {
    put_u8(out, 0x81);
    put_be(out, length);
  }
}

void put_string(std::string& out, std::string_view bytes) {
  if (!put_number(out, bytes)) {
    put_length(out, bytes.size());
    out.append(bytes);
  }
}

void write_string(std::string& out, std::string_view value) {
  put_u8(out, kTypeString);
  put_string(out, value);
}

void ListWriter::end_node() {
  if (node_.entries() != 0) {
    put_length(nodes_, kPackedNode);
    const std::string packed = node_.finish();
    put_length(nodes_, packed.size());
    nodes_.append(packed);
    ++count_;
  }
}

void ListWriter::add(std::string_view element) {
  if (element.size() > kNodeBytes) {
    end_node();
    put_length(nodes_, kPlainNode);
    put_length(nodes_, element.size());
    nodes_.append(element);
    ++count_;
    return;
  }
  if (node_.bytes() + element.size() > kNodeBytes) {
    end_node();
  }
  node_.add(element);
}

void ListWriter::finish() {
  end_node();
  put_u8(out_, kTypeQuicklist);
  put_length(out_, count_);
  out_.append(nodes_);
}

void write_intset_object(std::string& out, const std::vector<int64_t>& members) {
  put_u8(out, kTypeIntset);
  const std::string packed = write_intset(members);
  put_length(out, packed.size());
  out.append(packed);
}

SetWriter::SetWriter(std::string& out, uint64_t size) : out_(out) {
  put_u8(out_, kTypeSet);
  put_length(out_, size);
}

void SetWriter::add(std::string_view member) { put_string(out_, member); }

SortedSetWriter::SortedSetWriter(std::string& out, Form form, uint64_t size)
    : out_(out), form_(form) {
  put_u8(out_, form == Form::kPacked ? kTypeListpackSortedSet : kTypeSortedSet);
  if (form == Form::kTable) {
    put_length(out_, size);
  }
}

void SortedSetWriter::add(std::string_view member, double score, std::string_view score_text) {
  if (form_ == Form::kPacked) {
    packed_.add(member);
    packed_.add(score_text);
    return;
  }
  put_string(out_, member);
  put_le(out_, score);
}

void SortedSetWriter::finish() {
  if (form_ == Form::kPacked) {
    const std::string packed = packed_.finish();
    put_length(out_, packed.size());
    out_.append(packed);
  }
}

HashWriter::HashWriter(std::string& out, Form form, uint64_t size) : out_(out), form_(form) {
  put_u8(out_, form == Form::kPacked ? kTypeListpackHash : kTypeHash);
  if (form == Form::kTable) {
    put_length(out_, size);
  }
}

void HashWriter::add(std::string_view field, std::string_view value) {
  if (form_ == Form::kPacked) {
    packed_.add(field);
    packed_.add(value);
    return;
  }
  put_string(out_, field);
  put_string(out_, value);
}

HashDeadlinesWriter::HashDeadlinesWriter(std::string& out, uint64_t size, int64_t earliest_ms)
    : out_(out), earliest_ms_(earliest_ms) {
  put_u8(out_, kTypeHashDeadlines);
  put_le(out_, earliest_ms_);
  put_length(out_, size);
}

void HashDeadlinesWriter::add(std::string_view field, std::string_view value, int64_t deadline_ms) {
  put_length(out_, deadline_ms == 0 ? 0 : static_cast<uint64_t>(deadline_ms - earliest_ms_) + 1);
  put_string(out_, field);
  put_string(out_, value);
}

void HashWriter::finish() {
  if (form_ == Form::kPacked) {
    const std::string packed = packed_.finish();
    put_length(out_, packed.size());
    out_.append(packed);
  }
}

}  // namespace kiwi::resp::dump
