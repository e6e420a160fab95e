#include "resp/types/dump/payload.hpp"

#include <cstring>

#include "config/base/bytes.hpp"
#include "resp/types/dump/crc64.hpp"

namespace kiwi::resp::dump {

namespace {

constexpr uint8_t kTypesOfVersion12 = 22;  // from here on: hashes whose fields have deadlines
constexpr size_t kFooterBytes = sizeof(uint16_t) + sizeof(uint64_t);

}  // namespace

std::optional<Payload> open_payload(std::string_view bytes) {
  if (bytes.size() < 1 + kFooterBytes) {
    return std::nullopt;
  }
  const size_t checked = bytes.size() - sizeof(uint64_t);
  uint64_t checksum = 0;
  std::memcpy(&checksum, bytes.data() + checked, sizeof(checksum));
  uint16_t version = 0;
  std::memcpy(&version, bytes.data() + checked - sizeof(version), sizeof(version));
  if (version > kNewestPayloadVersion || crc64(0, bytes.substr(0, checked)) != checksum) {
    return std::nullopt;
  }
  return Payload{static_cast<uint8_t>(bytes[0]), bytes.substr(1, bytes.size() - 1 - kFooterBytes)};
}

void close_payload(std::string& out) {
  put_le(out, static_cast<uint8_t>(out[0]) < kTypesOfVersion12 ? kPayloadVersion
                                                               : kNewestPayloadVersion);
  put_le(out, crc64(0, out));
}

}  // namespace kiwi::resp::dump
