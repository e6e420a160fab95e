#include "resp/types/hyperloglog.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <span>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "resp/types/hyperloglog_runs.hpp"

namespace kiwi::resp::hyperloglog {

namespace {

constexpr uint32_t kIndexBits = 14;
constexpr uint32_t kCountBits = 64 - kIndexBits;  // the most zeros that a hash can end in
constexpr std::string_view kMagic = "HYLL";
constexpr size_t kFormAt = 4;
constexpr size_t kCardinalityAt = 8;
constexpr char kStale = static_cast<char>(0x80);  // in the cardinality's last byte
// Each register in two bytes is longer than any sparse value that means something.
constexpr size_t kLongestSparse = kHeaderBytes + 2 * size_t{kRegisters};

// MurmurHash64A of little-endian machines.
uint64_t murmur(std::string_view bytes, uint64_t seed) {
  constexpr uint64_t kFactor = 0xc6a4a7935bd1e995;
  constexpr int kShift = 47;
  uint64_t hash = seed ^ (bytes.size() * kFactor);
  size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    uint64_t word = ByteReader(bytes.substr(at, 8)).le<uint64_t>() * kFactor;
    word = (word ^ word >> kShift) * kFactor;
    hash = (hash ^ word) * kFactor;
  }
  if (at < bytes.size()) {
    uint64_t rest = 0;
    for (size_t i = 0; at + i < bytes.size(); ++i) {
      rest |= uint64_t{static_cast<uint8_t>(bytes[at + i])} << (8 * i);
    }
    hash = (hash ^ rest) * kFactor;
  }
  hash = (hash ^ hash >> kShift) * kFactor;
  return hash ^ hash >> kShift;
}

// A register's first byte in a dense value, and its lowest bit there.
struct DensePlace {
  explicit DensePlace(uint32_t index) : byte(kHeaderBytes + index * 6 / 8), bit(index * 6 % 8) {}
  size_t byte;
  uint32_t bit;
};

uint8_t dense_get(std::string_view value, uint32_t index) {
  const DensePlace place(index);
  uint32_t two = static_cast<uint8_t>(value[place.byte]);
  if (place.byte + 1 < value.size()) {
    two |= static_cast<uint32_t>(static_cast<uint8_t>(value[place.byte + 1])) << 8;
  }
  return two >> place.bit & 0x3f;
}

// All of a dense value, in order: four of six bits in three bytes.
template <class Visit>  // visit(index, count)
void each_dense(std::string_view value, Visit visit) {
  static_assert(kRegisters % 4 == 0);
  const char* at = value.data() + kHeaderBytes;
  for (uint32_t index = 0; index < kRegisters; index += 4, at += 3) {
    const uint32_t bits = static_cast<uint8_t>(at[0]) |
                          static_cast<uint32_t>(static_cast<uint8_t>(at[1])) << 8 |
                          static_cast<uint32_t>(static_cast<uint8_t>(at[2])) << 16;
    visit(index, static_cast<uint8_t>(bits & 0x3f));
    visit(index + 1, static_cast<uint8_t>(bits >> 6 & 0x3f));
    visit(index + 2, static_cast<uint8_t>(bits >> 12 & 0x3f));
    visit(index + 3, static_cast<uint8_t>(bits >> 18));
  }
}

// `bytes` begin with a register's first one.
void dense_put(std::span<char> bytes, uint32_t bit, uint8_t count) {
  const uint32_t mask = 0x3fu << bit;
  const uint32_t wanted = static_cast<uint32_t>(count) << bit;
  for (size_t i = 0; i < 2 && i < bytes.size(); ++i) {
    const uint32_t old = static_cast<uint8_t>(bytes[i]);
    bytes[i] = static_cast<char>((old & ~(mask >> (8 * i))) | (wanted >> (8 * i) & 0xff));
  }
}

void dense_put(std::string& value, uint32_t index, uint8_t count) {
  const DensePlace place(index);
  dense_put(std::span(value).subspan(place.byte), place.bit, count);
}

// How many registers have which count; what no hash can give counts nowhere.
using Histogram = std::array<uint32_t, 64>;

// Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", arXiv:1702.01284.
double tau(double x) {
  if (x == 0 || x == 1) {
    return 0;
  }
  double before = 0;
  double y = 1;
  double z = 1 - x;
  do {
    x = std::sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  } while (before != z);
  return z / 3;
}

double sigma(double x) {
  if (x == 1) {
    return std::numeric_limits<double>::infinity();
  }
  double before = 0;
  double y = 1;
  double z = x;
  do {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  } while (before != z);
  return z;
}

int64_t estimate(const Histogram& histogram) {
  constexpr double kAlpha = 0.721347520444481703680;
  constexpr double kAll = kRegisters;
  double z = kAll * tau((kAll - histogram[kCountBits + 1]) / kAll);
  for (size_t count = kCountBits; count >= 1; --count) {
    z += histogram[count];
    z *= 0.5;
  }
  z += kAll * sigma(histogram[0] / kAll);
  const double sum = kAlpha * kAll * kAll / z;
  // Infinite if every register is full, which elements do not bring about: as Redis answers.
  constexpr double kTooMuch = 9223372036854775808.0;
  return sum < kTooMuch ? std::llround(sum) : std::numeric_limits<int64_t>::min();
}

}  // namespace

Place place_of(std::string_view element) {
  constexpr uint64_t kSeed = 0xadc83b19;
  const uint64_t hash = murmur(element, kSeed);
  const uint64_t rest = hash >> kIndexBits | uint64_t{1} << kCountBits;
  return {static_cast<uint32_t>(hash & (kRegisters - 1)),
          static_cast<uint8_t>(std::countr_zero(rest) + 1)};
}

namespace {

std::optional<Form> form_in(std::string_view header, uint64_t size) {
  const auto form = static_cast<uint8_t>(header.size() < kHeaderBytes ? 0xff : header[kFormAt]);
  if (!header.starts_with(kMagic) || form > static_cast<uint8_t>(Form::kSparse)) {
    return std::nullopt;
  }
  return static_cast<Form>(form) == Form::kDense && size != kDenseBytes
             ? std::nullopt
             : std::optional(static_cast<Form>(form));
}

}  // namespace

std::optional<Form> form_of(const String& string) {
  std::array<uint8_t, kHeaderBytes> header;
  string.read(0, header);
  const size_t there = std::min<uint64_t>(string.size(), header.size());
  return form_in({reinterpret_cast<const char*>(header.data()), there}, string.size());
}

Fault load(const StringChunks& string, std::string& value) {
  value.clear();
  const uint64_t size = std::min<uint64_t>(string.size(), kLongestSparse + 1);
  string.walk(0, size, [&](const StringPiece& piece) {
    value.append(piece.bytes);
    value.resize(piece.offset + piece.size, '\0');
    return true;
  });
  if (!form_in(value, string.size())) {
    return Fault::kNotOne;
  }
  return string.size() > kLongestSparse ? Fault::kCorrupt : Fault::kNone;
}

// ---------------------------------------------------------------- values in memory

std::string empty_value() {
  std::string value(kMagic);
  value.resize(kHeaderBytes, '\0');
  value[kFormAt] = static_cast<char>(Form::kSparse);
  append_zeros(value, kRegisters);
  return value;
}

Form form_of(std::string_view value) {
  return value[kFormAt] == static_cast<char>(Form::kDense) ? Form::kDense : Form::kSparse;
}

void forget_cardinality(std::string& value) {
  char& last = value[kHeaderBytes - 1];
  last = static_cast<char>(last | kStale);
}

std::optional<int64_t> known_cardinality(std::string_view value) {
  if ((value[kHeaderBytes - 1] & kStale) != 0) {
    return std::nullopt;
  }
  return ByteReader(value.substr(kCardinalityAt, sizeof(int64_t))).le<int64_t>();
}

uint8_t dense_register(std::string_view value, uint32_t index) { return dense_get(value, index); }

bool is_overlong(std::string_view value) {
  return form_of(value) == Form::kSparse && value.size() > kSparseBytes;
}

uint64_t steps_of_search(std::string_view value) {
  constexpr size_t kPerStep = 1024;  // bytes of runs, of which a search walks half
  return 1 + (form_of(value) == Form::kSparse ? value.size() / kPerStep : 0);
}

bool make_dense(std::string& value) {
  if (form_of(value) == Form::kDense) {
    return true;
  }
  std::string dense = value.substr(0, kHeaderBytes);
  dense[kFormAt] = static_cast<char>(Form::kDense);
  dense.resize(kDenseBytes, '\0');
  const bool whole = each_run(value, [&](uint32_t first, const Run& run) {
    for (uint32_t i = 0; run.count != 0 && i < run.registers; ++i) {
      dense_put(dense, first + i, run.count);
    }
  });
  if (whole) {
    value = std::move(dense);
  }
  return whole;
}

Change set_register(std::string& value, const Place& place, Hint& hint) {
  if (form_of(value) == Form::kSparse) {
    const SparseChange change = sparse_set(value, place, hint);
    if (change != SparseChange::kTooLong) {
      return change == SparseChange::kNone      ? Change::kNone
             : change == SparseChange::kChanged ? Change::kChanged
                                                : Change::kCorrupt;
    }
    if (!make_dense(value)) {
      return Change::kCorrupt;
    }
  }
  if (dense_get(value, place.index) >= place.count) {
    return Change::kNone;
  }
  dense_put(value, place.index, place.count);
  return Change::kChanged;
}

bool merge(std::string_view value, Registers& registers) {
  if (form_of(value) == Form::kDense) {
    CHECK_INVARIANT(value.size() == kDenseBytes);
    each_dense(value, [&](uint32_t index, uint8_t count) {
      registers[index] = std::max(registers[index], count);
    });
    return true;
  }
  return each_run(value, [&](uint32_t first, const Run& run) {
    for (uint32_t i = 0; run.count != 0 && i < run.registers; ++i) {
      registers[first + i] = std::max(registers[first + i], run.count);
    }
  });
}

int64_t cardinality(const Registers& registers) {
  Histogram histogram{};
  for (const uint8_t count : registers) {
    ++histogram[count];
  }
  return estimate(histogram);
}

std::optional<int64_t> cardinality(std::string_view value) {
  Histogram histogram{};
  if (form_of(value) == Form::kDense) {
    CHECK_INVARIANT(value.size() == kDenseBytes);
    each_dense(value, [&](uint32_t, uint8_t count) { ++histogram[count]; });
  } else if (!each_run(value,
                       [&](uint32_t, const Run& run) { histogram[run.count] += run.registers; })) {
    return std::nullopt;
  }
  return estimate(histogram);
}

// ---------------------------------------------------------------- in place

Change add_to_dense(String& string, const Place& place) {
  const DensePlace at(place.index);
  const size_t size = std::min<size_t>(2, kDenseBytes - at.byte);
  std::array<char, 2> bytes{};
  std::array<uint8_t, 2> stored;
  string.read(at.byte, stored);
  std::copy(stored.begin(), stored.end(), bytes.begin());
  const uint32_t two = stored[0] | static_cast<uint32_t>(stored[1]) << 8;
  if ((two >> at.bit & 0x3f) >= place.count) {
    return Change::kNone;
  }
  dense_put(std::span(bytes).first(size), at.bit, place.count);
  std::array<uint8_t, 1> last;
  string.read(kHeaderBytes - 1, last);
  if ((last[0] & static_cast<uint8_t>(kStale)) == 0) {
    const char stale = static_cast<char>(last[0] | static_cast<uint8_t>(kStale));
    string.overwrite(kHeaderBytes - 1, {&stale, 1});
  }
  string.overwrite(at.byte, {bytes.data(), size});
  return Change::kChanged;
}

// ---------------------------------------------------------------- for who debugs

std::string describe_runs(std::string_view value) {
  std::string out;
  each_run(value, [&](uint32_t, const Run& run) {
    out.append(out.empty() ? "" : " ");
    if (run.count != 0) {
      out.append("v:" + std::to_string(run.count) + "," + std::to_string(run.registers));
    } else {
      out.append((run.bytes == 2 ? "Z:" : "z:") + std::to_string(run.registers));
    }
  });
  return out;
}

std::string self_test() {
  constexpr uint64_t kElements = 100'000;
  constexpr double kErrors = 6;  // standard errors, which six of are never met
  const double standard_error = 1.04 / std::sqrt(static_cast<double>(kRegisters));
  std::string sparse = empty_value();
  std::string dense = empty_value();
  CHECK_INVARIANT(make_dense(dense));
  uint64_t check_at = 1;
  for (uint64_t element = 1; element <= kElements; ++element) {
    std::string bytes;
    put_le(bytes, element * 0x9e3779b97f4a7c15);
    const Place place = place_of(bytes);
    Hint from_begin;
    Hint unused;
    set_register(dense, place, unused);
    set_register(sparse, place, from_begin);
    if (dense_get(dense, place.index) < place.count) {
      return "TESTFAILED Register " + std::to_string(place.index) + " should be " +
             std::to_string(place.count) + " but is " +
             std::to_string(dense_get(dense, place.index));
    }
    if (element != check_at) {
      continue;
    }
    const int64_t counted = cardinality(dense).value_or(-1);
    if (cardinality(sparse) != counted) {
      return "TESTFAILED dense/sparse disagree";
    }
    const auto expected = static_cast<int64_t>(element);
    const auto allowed =
        static_cast<int64_t>(std::ceil(standard_error * kErrors * static_cast<double>(element)));
    if (std::abs(expected - counted) > std::max<int64_t>(allowed, 1)) {
      return "TESTFAILED Too big error. card:" + std::to_string(element) +
             " abserr:" + std::to_string(std::abs(expected - counted));
    }
    check_at *= 10;
  }
  return {};
}

}  // namespace kiwi::resp::hyperloglog
