#include "resp/once_token.hpp"

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/base/decimal.hpp"

namespace kiwi::resp {

namespace {

constexpr size_t kUuidText = 36;
constexpr size_t kUlidText = 26;
constexpr size_t kIdBytes = 16;
constexpr size_t kTimeBytes = 6;
constexpr size_t kSuffixBytes = 32;
constexpr size_t kKeyBytes = 64;
constexpr uint64_t kMsEnd = uint64_t{1} << (8 * kTimeBytes);
constexpr uint8_t kId = 1;   // 10 bytes of the id, then the suffix
constexpr uint8_t kKey = 2;  // the client's own key

int hex_digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

// Crockford's alphabet, which has no I, L, O and U.
int ulid_digit(char c) {
  constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  const size_t at = kDigits.find(upper);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

std::optional<std::string> read_uuid(std::string_view text) {
  constexpr size_t kVersionAt = 14;
  constexpr size_t kVariantAt = 19;
  std::string bytes;
  int half = -1;
  for (size_t i = 0; i < kUuidText; ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') {
        return std::nullopt;
      }
      continue;
    }
    const int digit = hex_digit(text[i]);
    if (digit < 0 || (i == kVersionAt && digit != 7) || (i == kVariantAt && (digit >> 2) != 2)) {
      return std::nullopt;
    }
    if (half < 0) {
      half = digit;
    } else {
      bytes.push_back(static_cast<char>(half * 16 + digit));
      half = -1;
    }
  }
  CHECK_INVARIANT(bytes.size() == kIdBytes);
  return bytes;
}

// 130 bits of text for 128: the first digit has three.
std::optional<std::string> read_ulid(std::string_view text) {
  std::string bytes;
  uint32_t bits = 0;
  unsigned have = 0;
  for (size_t i = 0; i < kUlidText; ++i) {
    const int digit = ulid_digit(text[i]);
    if (digit < 0 || (i == 0 && digit > 7)) {
      return std::nullopt;
    }
    bits = bits << 5 | static_cast<uint32_t>(digit);
    have += i == 0 ? 3 : 5;
    if (have >= 8) {
      have -= 8;
      bytes.push_back(static_cast<char>(bits >> have & 0xff));
    }
  }
  CHECK_INVARIANT(bytes.size() == kIdBytes && have == 0);
  return bytes;
}

std::optional<std::string> read_id(std::string_view text, size_t size) {
  const std::string_view suffix = text.substr(size);
  const bool fits = suffix.empty() ||
                    (suffix[0] == '.' && suffix.size() > 1 && suffix.size() <= 1 + kSuffixBytes);
  const auto id = !fits ? std::nullopt : size == kUuidText ? read_uuid(text) : read_ulid(text);
  if (!id) {
    return std::nullopt;
  }
  std::string token(kOnceTokenHead - kTimeBytes, '\0');
  token.append(*id, 0, kTimeBytes);
  put_u8(token, kId);
  token.append(*id, kTimeBytes);
  token.append(suffix);
  return token;
}

std::optional<std::string> read_key(std::string_view text) {
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) {
    return std::nullopt;
  }
  const std::optional<int64_t> ms = parse_decimal(text.substr(0, dash));
  const std::string_view key = text.substr(dash + 1);
  if (!ms || *ms < 0 || static_cast<uint64_t>(*ms) >= kMsEnd || key.empty() ||
      key.size() > kKeyBytes) {
    return std::nullopt;
  }
  std::string token;
  put_be(token, static_cast<uint64_t>(*ms));
  put_u8(token, kKey);
  token.append(key);
  return token;
}

}  // namespace

std::optional<std::string> read_once_token(std::string_view text) {
  for (const size_t size : {kUuidText, kUlidText}) {
    if (text.size() >= size) {
      if (auto token = read_id(text, size)) {
        return token;
      }
    }
  }
  return read_key(text);
}

uint64_t once_token_ms(std::string_view token) {
  CHECK_INVARIANT(token.size() > kOnceTokenHead);
  return get_be<uint64_t>(token);
}

std::string_view once_token_name(std::string_view token) {
  CHECK_INVARIANT(token.size() > kOnceTokenHead);
  return token.substr(kOnceTokenHead);
}

std::string new_once_token(uint64_t unix_ms, std::string_view random) {
  CHECK_INVARIANT(random.size() == kIdBytes && unix_ms < kMsEnd);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string bytes;
  put_be(bytes, unix_ms);
  bytes.erase(0, sizeof(unix_ms) - kTimeBytes);
  bytes.append(random.substr(kTimeBytes));
  bytes[6] = static_cast<char>(0x70 | (bytes[6] & 0x0f));
  bytes[8] = static_cast<char>(0x80 | (bytes[8] & 0x3f));
  std::string text;
  for (size_t i = 0; i < kIdBytes; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) {
      text.push_back('-');
    }
    const auto byte = static_cast<uint8_t>(bytes[i]);
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

}  // namespace kiwi::resp
