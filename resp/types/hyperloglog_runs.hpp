// The sparse form of HyperLogLogs (hyperloglog.hpp): runs of equal registers. For hyperloglog.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "resp/types/hyperloglog.hpp"

namespace kiwi::resp::hyperloglog {

struct Run {
  uint32_t registers = 0;
  uint8_t count = 0;  // of each of them
  uint8_t bytes = 1;  // of its code
};

// The run at a byte of the value; nullopt: none is there in whole.
std::optional<Run> run_at(std::string_view value, size_t at);

// visit(first register, run) for all runs. False: they are not 16,384 registers, or the last code
// is cut off; those visited are within the 16,384.
template <class Visit>
bool each_run(std::string_view value, Visit visit) {
  uint32_t first = 0;
  for (size_t at = kHeaderBytes; at < value.size();) {
    const std::optional<Run> run = run_at(value, at);
    if (!run || run->registers > kRegisters - first) {
      return false;
    }
    visit(first, *run);
    first += run->registers;
    at += run->bytes;
  }
  return first == kRegisters;
}

void append_zeros(std::string& out, uint32_t registers);  // at least one

enum class SparseChange : uint8_t { kNone, kChanged, kCorrupt, kTooLong };

// kTooLong: nothing was done, it has to become dense first.
SparseChange sparse_set(std::string& value, const Place& place, Hint& hint);

}  // namespace kiwi::resp::hyperloglog
