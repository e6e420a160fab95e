// Values of the element records of spread hashes, sets, sorted sets and strings, as bytes.
//
// ON DISK, frozen by golden bytes in tests/types/packed_test.cpp and string_test.cpp.
//   set:         varint stamp
//   sorted set:  f64 LE score as it was given (-0 is kept), varint stamp
//   hash:        u8 flags (1 = deadline; other bits 0), [i64 LE deadline], varint stamp, the value
//   string:      varint stamp, a chunk's bytes; those that are missing at its end are zeros
// The stamp is the mutation counter of the record's last change minus the collection's version: it
// says whether a delta needs the record.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/base/bytes.hpp"

namespace kiwi::resp {

struct FieldValue {
  int64_t deadline_ms = 0;  // of this field alone; 0: none
  uint64_t stamp = 0;
  std::string_view value;  // a view into the record
};

inline void encode_member(std::string& out, uint64_t stamp) {  // clears out first, as the others
  out.clear();
  put_varint(out, stamp);
}

inline std::optional<uint64_t> decode_member(std::string_view record) {
  ByteReader in(record);
  const uint64_t stamp = in.varint();
  return in.done() ? std::optional(stamp) : std::nullopt;
}

struct MemberScore {
  double score = 0;
  uint64_t stamp = 0;
};

inline void encode_scored(std::string& out, const MemberScore& member) {
  out.clear();
  put_le(out, std::bit_cast<uint64_t>(member.score));
  put_varint(out, member.stamp);
}

inline std::optional<MemberScore> decode_scored(std::string_view record) {
  ByteReader in(record);
  MemberScore member;
  member.score = std::bit_cast<double>(in.le<uint64_t>());
  member.stamp = in.varint();
  return in.done() && !std::isnan(member.score) ? std::optional(member) : std::nullopt;
}

inline void encode_chunk(std::string& out, uint64_t stamp, std::string_view bytes) {
  encode_member(out, stamp);
  out.append(bytes);
}

// The bytes, a view into the record.
inline std::optional<std::string_view> decode_chunk(std::string_view record) {
  ByteReader in(record);
  in.varint();
  const std::string_view bytes = in.rest();
  return in.ok() ? std::optional(bytes) : std::nullopt;
}

inline void encode_field(std::string& out, const FieldValue& field) {
  out.clear();
  put_u8(out, field.deadline_ms != 0 ? 1 : 0);
  if (field.deadline_ms != 0) {
    put_le(out, field.deadline_ms);
  }
  put_varint(out, field.stamp);
  out.append(field.value);
}

inline std::optional<FieldValue> decode_field(std::string_view record) {
  ByteReader in(record);
  FieldValue field;
  const auto flags = in.le<uint8_t>();
  if (flags == 1) {
    field.deadline_ms = in.le<int64_t>();
  }
  field.stamp = in.varint();
  field.value = in.rest();
  return in.ok() && flags <= 1 ? std::optional(field) : std::nullopt;
}

}  // namespace kiwi::resp
