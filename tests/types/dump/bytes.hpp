// Payloads and files of tests as bytes.
#pragma once

#include <string>
#include <string_view>

#include "config/base/bytes.hpp"
#include "resp/types/dump/crc64.hpp"

namespace kiwi::resp::dump {

inline std::string from_hex(std::string_view hex) {
  std::string out;
  auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(static_cast<char>(digit(hex[i]) << 4 | digit(hex[i + 1])));
  }
  return out;
}

// The recorded one of that name.
template <class Recorded>
std::string recorded_bytes(const Recorded& all, std::string_view name) {
  for (const auto& one : all) {
    if (one.name == name) {
      return from_hex(one.hex);
    }
  }
  return {};
}

// With the checksum that a file of version 5 and later ends with.
inline std::string with_checksum(std::string file) {
  put_le(file, crc64(0, file));
  return file;
}

}  // namespace kiwi::resp::dump
