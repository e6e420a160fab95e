#include "config/base/ids.hpp"

namespace kiwi {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  if (c >= 'A' && c <= 'F') {
    return c - 'A' + 10;
  }
  return -1;
}

}  // namespace

template <class Tag>
std::string RandomId<Tag>::hex() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(32);
  for (uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

template <class Tag>
std::optional<RandomId<Tag>> RandomId<Tag>::from_hex(std::string_view text) {
  RandomId id;
  if (text.size() != 2 * id.bytes.size()) {
    return std::nullopt;
  }
  for (size_t i = 0; i < id.bytes.size(); ++i) {
    int high = hex_digit(text[2 * i]);
    int low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) {
      return std::nullopt;
    }
    id.bytes[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return id;
}

template struct RandomId<ClusterIdTag>;
template struct RandomId<IncarnationTag>;

}  // namespace kiwi
