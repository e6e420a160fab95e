#include "resp/value_writer.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "resp/resp_writer.hpp"

namespace kiwi::resp {

using Kind = ReplyValue::Kind;

ReplyValue& ValueWriter::add(Kind kind, std::string_view text) {
  bytes_ += kPartBytes + text.size();
  if (bytes_ > bytes_max_) {
    throw ReplyTooLarge();
  }
  ReplyValue& value = parts_.emplace_back().value;
  value.kind = kind;
  value.text = text;
  return value;
}

void ValueWriter::add_aggregate(Kind kind, size_t items) {
  CHECK_INVARIANT(kind == Kind::kArray || kind == Kind::kMap || kind == Kind::kSet ||
                  kind == Kind::kPush);
  add(kind);
  parts_.back().items = items;
}

void ValueWriter::simple(std::string_view text) { add(Kind::kStatus, text); }

void ValueWriter::error(std::string_view text) {
  std::string& line = add(Kind::kError, text).text;
  std::ranges::replace_if(
      line, [](char c) { return c == '\r' || c == '\n'; }, ' ');
}

void ValueWriter::integer(int64_t value) { add(Kind::kInteger).integer = value; }

void ValueWriter::bulk(std::string_view bytes) { add(Kind::kBulk, bytes); }

void ValueWriter::bulk_head(size_t bytes) {
  bytes_ += bytes;
  add(Kind::kBulk).text.reserve(bytes);
}

void ValueWriter::bulk_part(std::string_view bytes) { parts_.back().value.text.append(bytes); }

void ValueWriter::null() { add(Kind::kNull); }

void ValueWriter::null_array() { add(version_ == 2 ? Kind::kNullArray : Kind::kNull); }

void ValueWriter::array(size_t elements) { add_aggregate(Kind::kArray, elements); }

void ValueWriter::map(size_t pairs) {
  add_aggregate(version_ == 2 ? Kind::kArray : Kind::kMap, 2 * pairs);
}

void ValueWriter::set(size_t elements) {
  add_aggregate(version_ == 2 ? Kind::kArray : Kind::kSet, elements);
}

void ValueWriter::push(size_t elements) {
  add_aggregate(version_ == 2 ? Kind::kArray : Kind::kPush, elements);
}

void ValueWriter::boolean(bool value) {
  add(version_ == 2 ? Kind::kInteger : Kind::kBoolean).integer = value ? 1 : 0;
}

void ValueWriter::number(double value) {
  if (version_ == 2) {
    add(Kind::kBulk, double_text(value));
  } else {
    add(Kind::kDouble).real = value;
  }
}

void ValueWriter::number_as(double value, std::string_view text) {
  add(version_ == 2 ? Kind::kBulk : Kind::kDouble, text).real = version_ == 2 ? 0 : value;
}

void ValueWriter::big_number(std::string_view digits) {
  add(version_ == 2 ? Kind::kBulk : Kind::kBigNumber, digits);
}

void ValueWriter::verbatim(std::string_view text) {
  add(version_ == 2 ? Kind::kBulk : Kind::kVerbatim, text);
}

void ValueWriter::put_first(size_t begin, size_t head) {
  CHECK_INVARIANT(begin <= head && head <= parts_.size());
  const auto first = parts_.begin();
  std::rotate(first + static_cast<ptrdiff_t>(begin), first + static_cast<ptrdiff_t>(head),
              parts_.end());
}

ReplyValue ValueWriter::build(size_t& next) {
  CHECK_INVARIANT(next < parts_.size());  // an aggregate has all its items
  Part part = std::move(parts_[next++]);
  part.value.items.reserve(part.items);
  for (size_t i = 0; i < part.items; ++i) {
    part.value.items.push_back(build(next));
  }
  return std::move(part.value);
}

ReplyValue ValueWriter::take() {
  size_t next = 0;
  ReplyValue value = build(next);
  CHECK_INVARIANT(next == parts_.size());  // a command writes one reply
  clear();
  return value;
}

void ValueWriter::clear() {
  parts_.clear();
  bytes_ = 0;
}

void write_value(const ReplyValue& value, ReplyWriter& reply) {
  switch (value.kind) {
    case Kind::kStatus:
      return reply.simple(value.text);
    case Kind::kError:
      return reply.error(value.text);
    case Kind::kInteger:
      return reply.integer(value.integer);
    case Kind::kBulk:
      return reply.bulk(value.text);
    case Kind::kNull:
      return reply.null();
    case Kind::kNullArray:
      return reply.null_array();
    case Kind::kBoolean:
      return reply.boolean(value.integer != 0);
    case Kind::kDouble:
      return value.text.empty() ? reply.number(value.real)
                                : reply.number_as(value.real, value.text);
    case Kind::kBigNumber:
      return reply.big_number(value.text);
    case Kind::kVerbatim:
      return reply.verbatim(value.text);
    case Kind::kArray:
      reply.array(value.items.size());
      break;
    case Kind::kMap:
      reply.map(value.items.size() / 2);
      break;
    case Kind::kSet:
      reply.set(value.items.size());
      break;
    case Kind::kPush:
      reply.push(value.items.size());
      break;
  }
  for (const ReplyValue& item : value.items) {
    write_value(item, reply);
  }
}

}  // namespace kiwi::resp
