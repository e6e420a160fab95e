// HyperLogLogs: strings with the very bytes that Redis gives them, so that they can be taken from
// there by GET and SET. A header, then 16,384 registers of 6 bits: all of them (dense), or runs of
// equal ones (sparse) up to 3,000 bytes in all.
//
//   "HYLL", u8 form (0 dense, 1 sparse), 3 unused, u64 LE cardinality; its highest bit: not valid
//   dense:  register r from bit 6 * r on, lowest bit first
//   sparse: 00llllll                 l + 1 registers of 0
//           01llllll llllllll        the same, high byte first
//           1vvvvvll                 l + 1 registers of v + 1
//
// Any client may SET such bytes: whatever they say, nothing outside of them is read.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "resp/types/string_value.hpp"

namespace kiwi::resp::hyperloglog {

inline constexpr uint32_t kRegisters = 1 << 14;
inline constexpr size_t kHeaderBytes = 16;
inline constexpr size_t kDenseBytes = kHeaderBytes + kRegisters * 6 / 8;
inline constexpr size_t kSparseBytes = 3000;  // header included: what would be longer becomes dense

enum class Form : uint8_t { kDense = 0, kSparse = 1 };
enum class Fault : uint8_t { kNone, kNotOne, kCorrupt };
enum class Change : uint8_t { kNone, kChanged, kCorrupt };

using Registers = std::array<uint8_t, kRegisters>;
// To go through the registers of one value, in records looked at: more than it takes, so that what
// a command may merge ends within a few seconds.
inline constexpr uint64_t kStepsOfMerge = 128;

// Where an element counts, and how much.
struct Place {
  uint32_t index = 0;
  uint8_t count = 0;
};
Place place_of(std::string_view element);

// The form that the header of a string of this length names; nullopt: that is no HyperLogLog.
std::optional<Form> form_of(const String& string);

// ---- values in memory
std::string empty_value();  // sparse
Form form_of(std::string_view value);
// Where a search in runs may begin as long as indexes ascend.
struct Hint {
  size_t at = kHeaderBytes;  // a run
  uint32_t first = 0;        // its first register
  size_t before = 0;         // the run in front of it; 0: none
};
// A register becomes `count` unless it is as much. What outgrows the sparse form becomes dense.
Change set_register(std::string& value, const Place& place, Hint& hint);
// A sparse one that nobody but a client made: each search would walk up to 16,384 runs.
bool is_overlong(std::string_view value);
// How many records of a walk take as long as one set_register() without a hint.
uint64_t steps_of_search(std::string_view value);
bool make_dense(std::string& value);  // false: it is corrupt, and nothing was done
uint8_t dense_register(std::string_view value, uint32_t index);
// Each register becomes the larger one. False: the value is corrupt.
bool merge(std::string_view value, Registers& registers);
void forget_cardinality(std::string& value);
std::optional<int64_t> known_cardinality(std::string_view value);

int64_t cardinality(const Registers& registers);
std::optional<int64_t> cardinality(std::string_view value);  // nullopt: corrupt

// All bytes of a HyperLogLog, or of what calls itself one. kCorrupt: it is longer than any.
Fault load(const StringChunks& string, std::string& value);

// The runs of a sparse one as PFDEBUG DECODE prints them.
std::string describe_runs(std::string_view value);

// One element more in a dense one, of which only what changes is read and written.
Change add_to_dense(String& string, const Place& place);

// Compares dense, sparse and true counts of known elements; empty: all is well.
std::string self_test();

}  // namespace kiwi::resp::hyperloglog
