#include "config/base/sha1.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "config/base/bytes.hpp"

namespace kiwi {

namespace {

using State = std::array<uint32_t, 5>;
constexpr size_t kBlock = 64;

uint32_t byte_at(std::string_view bytes, size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

void mix(State& state, std::string_view block) {
  std::array<uint32_t, 80> w;
  for (size_t i = 0; i < 16; ++i) {
    w[i] = byte_at(block, 4 * i) << 24 | byte_at(block, 4 * i + 1) << 16 |
           byte_at(block, 4 * i + 2) << 8 | byte_at(block, 4 * i + 3);
  }
  for (size_t i = 16; i < w.size(); ++i) {
    w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  }
  auto [a, b, c, d, e] = state;
  for (size_t i = 0; i < w.size(); ++i) {
    uint32_t f = 0;
    uint32_t k = 0;
    if (i < 20) {
      f = (b & c) | (~b & d);
      k = 0x5a827999;
    } else if (i < 40) {
      f = b ^ c ^ d;
      k = 0x6ed9eba1;
    } else if (i < 60) {
      f = (b & c) | (b & d) | (c & d);
      k = 0x8f1bbcdc;
    } else {
      f = b ^ c ^ d;
      k = 0xca62c1d6;
    }
    const uint32_t next = std::rotl(a, 5) + f + e + k + w[i];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  const State add{a, b, c, d, e};
  for (size_t i = 0; i < state.size(); ++i) {
    state[i] += add[i];
  }
}

}  // namespace

std::string sha1(std::string_view bytes) {
  State state{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  std::string_view rest = bytes;
  for (; rest.size() >= kBlock; rest.remove_prefix(kBlock)) {
    mix(state, rest.substr(0, kBlock));
  }
  std::string last(rest);
  last.push_back('\x80');
  last.append((kBlock + kBlock - 8 - last.size() % kBlock) % kBlock, '\0');
  const uint64_t bits = uint64_t{bytes.size()} * 8;
  for (int shift = 56; shift >= 0; shift -= 8) {
    last.push_back(static_cast<char>(bits >> shift));
  }
  for (std::string_view tail = last; !tail.empty(); tail.remove_prefix(kBlock)) {
    mix(state, tail.substr(0, kBlock));
  }
  std::string digest;
  for (const uint32_t word : state) {
    put_be(digest, word);
  }
  return digest;
}

std::string sha1_hex(std::string_view bytes) {
  std::string hex;
  for (const char byte : sha1(bytes)) {
    hex.push_back("0123456789abcdef"[static_cast<unsigned char>(byte) >> 4]);
    hex.push_back("0123456789abcdef"[byte & 0xf]);
  }
  return hex;
}

}  // namespace kiwi
