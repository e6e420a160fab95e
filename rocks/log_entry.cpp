#include "rocks/log_entry.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/base/checksum.hpp"
#include "rocks/wal_format.hpp"
#include "rocks/wal_tail.hpp"

namespace kiwi::rocks {

namespace {

constexpr char kHidden = '\xff';  // no version of an entry
constexpr size_t kMaskBytes = 8;
constexpr size_t kFrameBytes = 1 + kMaskBytes;
static_assert(kMaskBytes == sizeof(uint64_t), "the mask is a checksum");
static_assert(2 * kLongRun < kMissingMin, "what lies in two entries is shorter than a lost sector");

void apply_mask(char* bytes, size_t size, const char* mask) {
  for (size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<char>(bytes[i] ^ mask[i % kMaskBytes]);
  }
}

}  // namespace

bool has_long_run(std::string_view payload) {
  // One byte in every so many is enough to find where to look.
  for (size_t at = kLongRun - 1; at < payload.size(); at += kLongRun) {
    const char byte = payload[at];
    if (byte != '\0' && byte != kWalRoom) {
      continue;
    }
    size_t from = at;
    while (from > 0 && payload[from - 1] == byte) {
      --from;
    }
    const size_t to = std::min(payload.find_first_not_of(byte, at), payload.size());
    if (to - from >= kLongRun) {
      return true;
    }
  }
  return false;
}

std::string hidden_entry(std::string_view header, std::string_view payload, uint64_t secret) {
  std::string stored(1, kHidden);
  stored.reserve(kFrameBytes + header.size() + payload.size());
  put_le(stored, checksum64(header, secret));
  CHECK_INVARIANT(stored.size() == kFrameBytes);
  stored.append(header);
  stored.append(payload);
  apply_mask(stored.data() + kFrameBytes, stored.size() - kFrameBytes, stored.data() + 1);
  return stored;
}

std::string revealed_entry(std::string stored) {
  if (stored.size() < kFrameBytes || stored[0] != kHidden) {
    return stored;
  }
  apply_mask(stored.data() + kFrameBytes, stored.size() - kFrameBytes, stored.data() + 1);
  stored.erase(0, kFrameBytes);
  return stored;
}

}  // namespace kiwi::rocks
