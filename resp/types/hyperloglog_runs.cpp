#include "resp/types/hyperloglog_runs.hpp"

#include <algorithm>

namespace kiwi::resp::hyperloglog {

namespace {

constexpr uint8_t kValue = 0x80;      // a run of registers that are not 0
constexpr uint8_t kManyZeros = 0x40;  // a run of zeros that needs two bytes
constexpr uint32_t kShortZeros = 64;  // registers of a run of zeros of one byte, at most
constexpr uint32_t kValueRun = 4;     // of one of values
constexpr uint8_t kHighestCount = 32;

uint8_t byte_at(std::string_view value, size_t at) { return static_cast<uint8_t>(value[at]); }

char value_code(uint8_t count, uint32_t registers) {
  return static_cast<char>(kValue | (count - 1) << 2 | static_cast<int>(registers - 1));
}

// Where a register is, and the run in front.
struct Found {
  size_t at = 0;
  size_t before = 0;  // 0: none
  uint32_t first = 0;
  Run run;
};

// `hint` then is the run in front of what was found: whatever happens to that, where it begins and
// what is in front of it stay. If nothing is known of that, the next search begins anew.
std::optional<Found> find(std::string_view value, uint32_t index, Hint& hint) {
  Found found{.at = hint.at, .before = hint.before, .first = hint.first, .run = {}};
  Hint next;
  for (;;) {
    const std::optional<Run> run = run_at(value, found.at);
    if (!run) {
      return std::nullopt;
    }
    if (index < found.first + run->registers) {
      found.run = *run;
      hint = next;
      return found;
    }
    next = {.at = found.at, .first = found.first, .before = found.before};
    found.before = found.at;
    found.first += run->registers;
    found.at += run->bytes;
  }
}

// A run with one register of it set: what is in front of it, itself, what is behind.
std::string split(const Found& found, const Place& place) {
  std::string codes;
  auto rest = [&](uint32_t registers) {
    if (registers == 0) {
      return;
    }
    if (found.run.count == 0) {
      append_zeros(codes, registers);
    } else {
      codes.push_back(value_code(found.run.count, registers));
    }
  };
  rest(place.index - found.first);
  codes.push_back(value_code(place.count, 1));
  rest(found.first + found.run.registers - 1 - place.index);
  return codes;
}

// Neighbours of the same count become one run, as far as Redis looks: five codes from `at` on.
void join(std::string& value, size_t at) {
  for (int looks = 5; looks > 0 && at < value.size(); --looks) {
    const uint8_t code = byte_at(value, at);
    if ((code & kValue) == 0) {
      at += (code & kManyZeros) != 0 ? 2 : 1;
      continue;
    }
    if (at + 1 < value.size() && (byte_at(value, at + 1) & kValue) != 0) {
      const Run one = *run_at(value, at);
      const Run next = *run_at(value, at + 1);
      if (one.count == next.count && one.registers + next.registers <= kValueRun) {
        value[at] = value_code(one.count, one.registers + next.registers);
        value.erase(at + 1, 1);
        continue;
      }
    }
    ++at;
  }
}

}  // namespace

std::optional<Run> run_at(std::string_view value, size_t at) {
  if (at >= value.size()) {
    return std::nullopt;
  }
  const uint8_t code = byte_at(value, at);
  if ((code & kValue) != 0) {
    return Run{(code & 3u) + 1, static_cast<uint8_t>((code >> 2 & 0x1f) + 1), 1};
  }
  if ((code & kManyZeros) == 0) {
    return Run{(code & 0x3fu) + 1, 0, 1};
  }
  if (at + 1 >= value.size()) {
    return std::nullopt;
  }
  return Run{((code & 0x3fu) << 8 | byte_at(value, at + 1)) + 1, 0, 2};
}

void append_zeros(std::string& out, uint32_t registers) {
  const uint32_t coded = registers - 1;
  if (registers > kShortZeros) {
    out.push_back(static_cast<char>(kManyZeros | coded >> 8));
  }
  out.push_back(static_cast<char>(coded));
}

// Step by step what Redis does, since the bytes are seen by clients.
SparseChange sparse_set(std::string& value, const Place& place, Hint& hint) {
  if (place.count > kHighestCount) {
    return SparseChange::kTooLong;
  }
  const std::optional<Found> found = find(value, place.index, hint);
  if (!found) {
    return SparseChange::kCorrupt;
  }
  if (found->run.count >= place.count) {
    return SparseChange::kNone;
  }
  if (found->run.registers == 1 && found->run.bytes == 1) {
    value[found->at] = value_code(place.count, 1);
  } else {
    const std::string codes = split(*found, place);
    if (codes.size() > found->run.bytes &&
        value.size() + codes.size() - found->run.bytes > kSparseBytes) {
      return SparseChange::kTooLong;
    }
    value.replace(found->at, found->run.bytes, codes);
  }
  join(value, found->before != 0 ? found->before : kHeaderBytes);
  return SparseChange::kChanged;
}

}  // namespace kiwi::resp::hyperloglog
