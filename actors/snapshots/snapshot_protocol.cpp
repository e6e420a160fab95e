#include "actors/snapshots/snapshot_protocol.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/base/checksum.hpp"

namespace kiwi::actors {

namespace {

constexpr uint8_t kVersion = 1;
constexpr int64_t kBurstMs = 100;  // what a moment may take at once

// ON THE WIRE: a message's type is its place in SnapshotBody, counted from 1; never reorder.
template <size_t kType>
using BodyOf = std::variant_alternative_t<kType - 1, SnapshotBody>;
static_assert(std::variant_size_v<SnapshotBody> == 9);
static_assert(std::is_same_v<BodyOf<3>, SnapshotChunk> && std::is_same_v<BodyOf<4>, SnapshotAck>);
static_assert(std::is_same_v<BodyOf<8>, SnapshotUnknown> &&
              std::is_same_v<BodyOf<9>, SnapshotAbort>);

void put_body(std::string& out, const SnapshotOffer& offer) {
  put_le(out, offer.index.value);
  put_le(out, offer.useful_from.value);
  put_le(out, offer.bytes);
}

void put_body(std::string& out, const SnapshotWant& want) {
  put_le(out, want.round);
  put_u8(out, static_cast<uint8_t>(want.what));
  put_le(out, want.next);
  std::string base;
  rocks::encode(base, want.base);
  put_sized(out, base);
  put_varint(out, want.ranges.size());
  for (const SnapshotRange& range : want.ranges) {
    put_varint(out, range.file);
    put_varint(out, range.offset);
    put_varint(out, range.bytes);
  }
}

void put_body(std::string& out, const SnapshotChunk& chunk) {
  put_le(out, chunk.round);
  put_le(out, chunk.number);
  put_le(out, chunk.sender_term.value);
  put_le(out, chunk.file);
  put_le(out, chunk.offset);
  put_u8(out, chunk.last ? 1 : 0);
  put_le(out, checksum64(chunk.bytes));
  out.append(chunk.bytes);
}

void put_body(std::string& out, const SnapshotAck& ack) {
  put_le(out, ack.round);
  put_le(out, ack.next);
  put_u8(out, ack.gap ? 1 : 0);
}

void put_body(std::string& out, const SnapshotDone& done) {
  put_u8(out, done.ok ? 1 : 0);
  put_le(out, done.installed.value);
}

void put_body(std::string& out, const SnapshotBusy& busy) { put_le(out, busy.index.value); }
void put_body(std::string& out, const SnapshotRefused& refused) { put_le(out, refused.round); }
void put_body(std::string&, const SnapshotUnknown&) {}
void put_body(std::string&, const SnapshotAbort&) {}

SnapshotOffer get_offer(ByteReader& reader) {
  SnapshotOffer offer;
  offer.index = LogIndex{reader.le<uint64_t>()};
  offer.useful_from = LogIndex{reader.le<uint64_t>()};
  offer.bytes = reader.le<uint64_t>();
  return offer;
}

bool get_want(ByteReader& reader, SnapshotWant& want) {
  want.round = reader.le<uint64_t>();
  const auto what = reader.le<uint8_t>();
  want.what = static_cast<SnapshotWant::What>(what);
  want.next = reader.le<uint64_t>();
  const auto base = rocks::decode_applied(reader.sized());
  const uint64_t count = reader.varint();
  if (!reader.ok() || !base || what < 1 || what > 3 || count > kSnapshotRangesMax) {
    return false;
  }
  want.base = *base;
  for (uint64_t i = 0; i < count && reader.ok(); ++i) {
    SnapshotRange range;
    const uint64_t file = reader.varint();
    range.file = static_cast<uint32_t>(file);
    range.offset = reader.varint();
    range.bytes = reader.varint();
    if (file > UINT32_MAX) {
      return false;
    }
    want.ranges.push_back(range);
  }
  return true;
}

bool get_chunk(ByteReader& reader, SnapshotChunk& chunk) {
  chunk.round = reader.le<uint64_t>();
  chunk.number = reader.le<uint64_t>();
  chunk.sender_term = Term{reader.le<uint64_t>()};
  chunk.file = reader.le<uint32_t>();
  chunk.offset = reader.le<uint64_t>();
  chunk.last = reader.le<uint8_t>() != 0;
  const auto checksum = reader.le<uint64_t>();
  chunk.bytes = reader.take(reader.rest().size());
  return reader.ok() && checksum64(chunk.bytes) == checksum;
}

SnapshotAck get_ack(ByteReader& reader) {
  SnapshotAck ack;
  ack.round = reader.le<uint64_t>();
  ack.next = reader.le<uint64_t>();
  ack.gap = reader.le<uint8_t>() != 0;
  return ack;
}

SnapshotDone get_done(ByteReader& reader) {
  SnapshotDone done;
  done.ok = reader.le<uint8_t>() != 0;
  done.installed = LogIndex{reader.le<uint64_t>()};
  return done;
}

bool get_body(ByteReader& reader, uint8_t type, SnapshotBody& body) {
  switch (type) {
    case 1:
      body = get_offer(reader);
      return true;
    case 2:
      return get_want(reader, body.emplace<SnapshotWant>());
    case 3:
      return get_chunk(reader, body.emplace<SnapshotChunk>());
    case 4:
      body = get_ack(reader);
      return true;
    case 5:
      body = get_done(reader);
      return true;
    case 6:
      body = SnapshotBusy{LogIndex{reader.le<uint64_t>()}};
      return true;
    case 7:
      body = SnapshotRefused{reader.le<uint64_t>()};
      return true;
    case 8:
      body = SnapshotUnknown{};
      return true;
    case 9:
      body = SnapshotAbort{};
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string encode_snapshot(const SnapshotMessage& message) {
  std::string out;
  if (const auto* chunk = std::get_if<SnapshotChunk>(&message.body)) {
    out.reserve(chunk->bytes.size() + kSnapshotHeaderBytes);
  }
  put_u8(out, kVersion);
  put_u8(out, static_cast<uint8_t>(message.body.index() + 1));
  put_le(out, message.transfer);
  std::visit([&](const auto& body) { put_body(out, body); }, message.body);
  if (const auto* chunk = std::get_if<SnapshotChunk>(&message.body)) {
    CHECK_INVARIANT(out.size() <= chunk->bytes.size() + kSnapshotHeaderBytes);
  }
  return out;
}

Result<SnapshotMessage> decode_snapshot(std::string_view bytes) {
  ByteReader reader(bytes);
  const auto version = reader.le<uint8_t>();
  const auto type = reader.le<uint8_t>();
  SnapshotMessage message;
  message.transfer = reader.le<uint64_t>();
  if (!reader.ok() || version != kVersion || !get_body(reader, type, message.body) ||
      !reader.done()) {
    return Error{Errc::kInvalid, "it sent a snapshot message that is none"};
  }
  return message;
}

bool ByteRate::take(uint64_t bytes, int64_t now_ms) {
  if (bytes_per_second_ == 0) {
    return true;
  }
  const auto per_second = static_cast<int64_t>(bytes_per_second_);
  const int64_t burst = std::max<int64_t>(1, per_second * kBurstMs / 1000);
  if (filled_ms_ < 0) {
    available_ = burst;
  } else {
    const int64_t passed_ms = std::min<int64_t>(now_ms - filled_ms_, 10'000);
    available_ = std::min(burst, available_ + per_second * passed_ms / 1000);
  }
  filled_ms_ = now_ms;
  if (available_ <= 0) {
    return false;
  }
  available_ -= static_cast<int64_t>(bytes);
  return true;
}

}  // namespace kiwi::actors
