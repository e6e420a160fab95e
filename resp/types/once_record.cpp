#include "resp/types/once_record.hpp"

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"

namespace kiwi::resp {

namespace {

constexpr uint8_t kFormat = 1;  // rocks/delta_format.cpp reads `changed` behind it

enum Flag : uint8_t {
  kClosed = 1,
  kKept = 2,
  kTakes = 4,
  kClaimed = 8,
  kUnused = 16,
  kShaped = 32,
};
constexpr uint8_t kAllFlags = kClosed | kKept | kTakes | kClaimed | kUnused | kShaped;

uint8_t flags_of(const OnceRecord& record) {
  return static_cast<uint8_t>((record.closed ? kClosed : 0) | (record.kept ? kKept : 0) |
                              (record.takes ? kTakes : 0) | (record.claimed ? kClaimed : 0) |
                              (record.unused ? kUnused : 0) | (record.shaped ? kShaped : 0));
}

}  // namespace

// format:1, entry that changed it:8, flags:1, fingerprint:16, varint index, varint revision, varint
// stamp, protocol:1, reply.
void encode(std::string& out, const OnceRecord& record) {
  CHECK_INVARIANT(record.stamp_ms >= 0 && (record.kept || record.reply.empty()));
  CHECK_INVARIANT(record.changed >= record.index);
  out.clear();
  put_u8(out, kFormat);
  put_le(out, record.changed.value);
  put_u8(out, flags_of(record));
  put_le(out, record.fingerprint.low);
  put_le(out, record.fingerprint.high);
  put_varint(out, record.index.value);
  put_varint(out, record.revision);
  put_varint(out, static_cast<uint64_t>(record.stamp_ms));
  put_u8(out, record.resp);
  out.append(record.reply);
}

std::optional<OnceRecord> decode_once(std::string_view bytes) {
  ByteReader in(bytes);
  OnceRecord record;
  const auto format = in.le<uint8_t>();
  record.changed.value = in.le<uint64_t>();
  const auto flags = in.le<uint8_t>();
  record.closed = (flags & kClosed) != 0;
  record.kept = (flags & kKept) != 0;
  record.takes = (flags & kTakes) != 0;
  record.claimed = (flags & kClaimed) != 0;
  record.unused = (flags & kUnused) != 0;
  record.shaped = (flags & kShaped) != 0;
  record.fingerprint.low = in.le<uint64_t>();
  record.fingerprint.high = in.le<uint64_t>();
  record.index.value = in.varint();
  record.revision = in.varint();
  record.stamp_ms = static_cast<int64_t>(in.varint());
  record.resp = in.le<uint8_t>();
  record.reply = in.rest();
  const bool sound = in.ok() && format == kFormat && (flags & ~kAllFlags) == 0 &&
                     record.stamp_ms >= 0 && (record.resp == 2 || record.resp == 3) &&
                     (record.kept || record.reply.empty());
  return sound ? std::optional(std::move(record)) : std::nullopt;
}

}  // namespace kiwi::resp
