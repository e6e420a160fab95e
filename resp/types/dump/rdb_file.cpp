#include "resp/types/dump/rdb_file.hpp"

#include <charconv>
#include <system_error>

#include "resp/types/dump/crc64.hpp"

namespace kiwi::resp::dump {

namespace {

// Redis' rdb.h.
enum Opcode : uint8_t {
  kSlotInfo = 244,
  kFunctionLibrary = 245,
  kModuleAuxiliary = 247,
  kIdle = 248,
  kFrequency = 249,
  kAux = 250,
  kResizeDatabase = 251,
  kExpireMilliseconds = 252,
  kExpireSeconds = 253,
  kSelectDatabase = 254,
  kEndOfFile = 255,
};

constexpr std::string_view kMagic = "REDIS";
constexpr size_t kVersionDigits = 4;
constexpr unsigned kChecksumSince = 5;
constexpr size_t kChecksumBytes = 8;

Error bad(std::string text) { return Error{Errc::kInvalid, std::move(text)}; }

uint64_t little(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    value |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
  }
  return value;
}

}  // namespace

Result<void> RdbFile::open() {
  const std::string_view magic = in_.raw(kMagic.size());
  const std::string_view digits = in_.raw(kVersionDigits);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), version_);
  if (magic != kMagic || error != std::errc() || end != digits.data() + digits.size()) {
    return bad("it does not begin like an RDB file");
  }
  if (version_ == 0 || version_ > kNewestRdbVersion) {
    return bad("it is of RDB version " + std::to_string(version_) + "; versions 1 to " +
               std::to_string(kNewestRdbVersion) + " are read here");
  }
  if (version_ < kChecksumSince) {
    return {};
  }
  if (in_.rest().size() < kChecksumBytes) {
    return bad("it is cut off");
  }
  const size_t checked = bytes_.size() - kChecksumBytes;
  const uint64_t said = little(bytes_.substr(checked));
  if (said != 0 && said != crc64(0, bytes_.substr(0, checked))) {  // 0: rdbchecksum no
    return bad("its checksum is wrong: it is damaged or cut off");
  }
  return {};
}

RdbItem RdbFile::next() {
  key_.expire_at_ms = 0;
  item_ = offset();
  while (in_.ok()) {
    const uint8_t opcode = in_.byte();
    switch (opcode) {
      case kIdle:
        in_.length();
        break;
      case kFrequency:
        in_.byte();
        break;
      case kExpireSeconds:
        key_.expire_at_ms = int64_t{static_cast<int32_t>(in_.little(4))} * 1000;
        break;
      case kExpireMilliseconds:
        key_.expire_at_ms = static_cast<int64_t>(in_.little(8));
        break;
      case kAux: {
        const bool version = in_.string() == "redis-ver";
        const std::string_view value = in_.string();
        if (version) {
          written_by_ = value.substr(0, 40);
        }
        item_ = offset();
        break;
      }
      case kResizeDatabase:
        in_.length();
        in_.length();
        item_ = offset();
        break;
      case kSlotInfo:
        in_.length();
        in_.length();
        in_.length();
        item_ = offset();
        break;
      case kSelectDatabase:
        key_.database = in_.length();
        item_ = offset();
        break;
      case kFunctionLibrary:
        in_.string();
        return in_.ok() ? RdbItem::kFunctions : RdbItem::kDamaged;
      case kModuleAuxiliary:
        in_.length();  // the module's number
        return in_.ok() && skip_module_values(in_) ? RdbItem::kModuleAux : RdbItem::kDamaged;
      case kEndOfFile:
        return end();
      default:
        return key_of(opcode);
    }
  }
  return RdbItem::kDamaged;
}

RdbItem RdbFile::key_of(uint8_t type) {
  key_.type = type;
  key_.name = in_.string();
  return in_.ok() ? RdbItem::kKey : RdbItem::kDamaged;
}

RdbItem RdbFile::end() const {
  const size_t behind = version_ < kChecksumSince ? 0 : kChecksumBytes;
  return in_.ok() && in_.rest().size() == behind ? RdbItem::kEnd : RdbItem::kDamaged;
}

}  // namespace kiwi::resp::dump
