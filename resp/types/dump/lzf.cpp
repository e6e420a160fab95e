#include "resp/types/dump/lzf.hpp"

#include <algorithm>
#include <cstdint>

#include "config/base/check.hpp"

namespace kiwi::resp::dump {

namespace {

constexpr size_t kLiteralMost = 32;     // of one literal run
constexpr size_t kExpansionMost = 256;  // a reference of 3 bytes gives at most 264
constexpr size_t kShortest = 2;         // of a reference, beyond what its length says
constexpr unsigned kLongLength = 7;     // the length goes on in the next byte

// What begins `back` bytes before the end once more behind it, again and again: what is copied may
// be what was just written. In as few runs as that takes, each twice as long as all before; `out`
// has room.
void repeat(std::string& out, size_t back, size_t length) {
  CHECK_INVARIANT(back != 0 && back <= out.size());
  const size_t from = out.size() - back;
  while (length > 0) {
    const size_t run = std::min(length, out.size() - from);
    out.append(out, from, run);
    length -= run;
  }
}

}  // namespace

bool lzf_may_have(size_t packed, size_t size) { return size / kExpansionMost <= packed; }

std::optional<std::string> lzf_unpack(std::string_view packed, size_t size) {
  if (!lzf_may_have(packed.size(), size)) {
    return std::nullopt;
  }
  std::string out;
  out.reserve(size);
  size_t at = 0;
  auto byte = [&] { return static_cast<uint8_t>(packed[at++]); };
  while (at < packed.size()) {
    const size_t control = byte();
    if (control < kLiteralMost) {
      const size_t length = control + 1;
      if (packed.size() - at < length || size - out.size() < length) {
        return std::nullopt;
      }
      out.append(packed, at, length);
      at += length;
      continue;
    }
    size_t length = control >> 5;
    if (length == kLongLength) {
      if (at == packed.size()) {
        return std::nullopt;
      }
      length += byte();
    }
    if (at == packed.size()) {
      return std::nullopt;
    }
    const size_t back = ((control & 0x1f) << 8 | byte()) + 1;
    length += kShortest;
    if (back > out.size() || size - out.size() < length) {
      return std::nullopt;
    }
    repeat(out, back, length);
  }
  return out.size() == size ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace kiwi::resp::dump
