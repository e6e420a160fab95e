#include "resp/types/dump/library_payload.hpp"

#include <cstring>

#include "config/base/bytes.hpp"
#include "resp/types/dump/crc64.hpp"
#include "resp/types/dump/object_writer.hpp"
#include "resp/types/dump/payload.hpp"

namespace kiwi::resp::dump {

namespace {

constexpr uint8_t kLibrary = 245;  // RDB_OPCODE_FUNCTION2
constexpr size_t kFooterBytes = sizeof(uint16_t) + sizeof(uint64_t);

}  // namespace

void put_library(std::string& out, std::string_view code) {
  put_u8(out, kLibrary);
  put_string(out, code);
}

void close_libraries(std::string& out) {
  put_le(out, kPayloadVersion);
  put_le(out, crc64(0, out));
}

LibrariesError read_libraries(std::string_view bytes,
                              const RdbReader::BeforeUnpacking& before_unpacking,
                              std::vector<std::string>& codes) {
  if (bytes.size() < kFooterBytes) {
    return LibrariesError::kFrame;
  }
  const size_t checked = bytes.size() - sizeof(uint64_t);
  uint64_t checksum = 0;
  std::memcpy(&checksum, bytes.data() + checked, sizeof(checksum));
  uint16_t version = 0;
  std::memcpy(&version, bytes.data() + checked - sizeof(version), sizeof(version));
  if (version > kNewestPayloadVersion || crc64(0, bytes.substr(0, checked)) != checksum) {
    return LibrariesError::kFrame;
  }
  RdbReader in(bytes.substr(0, bytes.size() - kFooterBytes));
  in.before_unpacking(before_unpacking);
  while (!in.rest().empty()) {
    if (in.byte() != kLibrary) {
      return in.ok() ? LibrariesError::kOther : LibrariesError::kNoType;
    }
    codes.emplace_back(in.string());
    if (!in.ok()) {
      return LibrariesError::kDamaged;
    }
  }
  return LibrariesError::kNone;
}

}  // namespace kiwi::resp::dump
