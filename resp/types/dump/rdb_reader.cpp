#include "resp/types/dump/rdb_reader.hpp"

#include <bit>
#include <charconv>
#include <limits>

#include "resp/types/dump/lzf.hpp"

namespace kiwi::resp::dump {

namespace {

constexpr uint64_t kStringMost = uint64_t{512} << 20;  // proto-max-bulk-len

enum : uint8_t { kLength6, kLength14, kLengthLong, kEncoded };  // the first two bits
enum : uint8_t { kInt8, kInt16, kInt32, kLzf };                 // how, behind kEncoded
constexpr uint8_t kLength32 = 0x80;
constexpr uint8_t kLength64 = 0x81;

}  // namespace

std::string_view RdbReader::raw(size_t size) {
  if (!ok_ || size > bytes_.size()) {
    ok_ = false;
    return {};
  }
  const std::string_view taken = bytes_.substr(0, size);
  bytes_.remove_prefix(size);
  return taken;
}

uint8_t RdbReader::byte() {
  const std::string_view one = raw(1);
  return one.empty() ? uint8_t{0} : static_cast<uint8_t>(one[0]);
}

uint64_t RdbReader::little(size_t size) {
  uint64_t value = 0;
  const std::string_view bytes = raw(size);
  for (size_t i = 0; i < bytes.size(); ++i) {
    value |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
  }
  return value;
}

uint64_t RdbReader::length_or_encoding(bool* encoded) {
  const uint8_t first = byte();
  auto big = [&](size_t size) {
    uint64_t value = 0;
    for (const char one : raw(size)) {
      value = value << 8 | static_cast<uint8_t>(one);
    }
    return value;
  };
  *encoded = false;
  switch (first >> 6) {
    case kLength6:
      return first;
    case kLength14:
      return uint64_t{first & 0x3fu} << 8 | byte();
    case kLengthLong:
      if (first == kLength32) {
        return big(4);
      }
      if (first == kLength64) {
        return big(8);
      }
      ok_ = false;
      return 0;
    default:
      *encoded = true;
      return first & 0x3f;
  }
}

uint64_t RdbReader::length() {
  bool encoded = false;
  const uint64_t length = length_or_encoding(&encoded);
  ok_ = ok_ && !encoded;
  return ok_ ? length : 0;
}

std::string_view RdbReader::string() {
  bool encoded = false;
  const uint64_t length = length_or_encoding(&encoded);
  if (!ok_) {
    return {};
  }
  if (encoded) {
    return encoded_string(static_cast<uint8_t>(length));
  }
  return raw(length);
}

std::string_view RdbReader::encoded_string(uint8_t how) {
  if (how == kLzf) {
    const uint64_t packed = length();
    const uint64_t size = length();
    const std::string_view bytes = raw(packed);
    if (!ok_ || size > kStringMost || !lzf_may_have(packed, size)) {
      ok_ = false;
      return {};
    }
    if (before_unpacking_) {
      before_unpacking_(packed, size);
    }
    auto unpacked = lzf_unpack(bytes, size);
    ok_ = unpacked.has_value();
    kept_ = std::move(unpacked).value_or(std::string());
    return kept_;
  }
  int64_t value = 0;
  switch (how) {
    case kInt8:
      value = static_cast<int8_t>(little(1));
      break;
    case kInt16:
      value = static_cast<int16_t>(little(2));
      break;
    case kInt32:
      value = static_cast<int32_t>(little(4));
      break;
    default:
      ok_ = false;
  }
  kept_ = ok_ ? std::to_string(value) : std::string();
  return kept_;
}

double RdbReader::binary_double() { return std::bit_cast<double>(little(8)); }

double RdbReader::text_double() {
  const uint8_t size = byte();
  constexpr uint8_t kNan = 253;
  constexpr uint8_t kInfinity = 254;
  constexpr uint8_t kMinusInfinity = 255;
  switch (size) {
    case kNan:
      return std::numeric_limits<double>::quiet_NaN();
    case kInfinity:
      return std::numeric_limits<double>::infinity();
    case kMinusInfinity:
      return -std::numeric_limits<double>::infinity();
    default:
      break;
  }
  const std::string_view text = raw(size);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  ok_ = ok_ && !text.empty() && error == std::errc() && end == text.data() + text.size();
  return ok_ ? value : 0;
}

}  // namespace kiwi::resp::dump
