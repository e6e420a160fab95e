#include "resp/types/bits.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "config/base/check.hpp"

namespace kiwi::resp::bits {

namespace {

uint64_t word_at(std::string_view bytes, size_t at) {
  uint64_t word = 0;
  std::memcpy(&word, bytes.data() + at, sizeof(word));
  return word;
}

uint8_t byte_at(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

uint64_t count_all(std::string_view bytes) {
  uint64_t sum = 0;
  size_t at = 0;
  for (; at + sizeof(uint64_t) <= bytes.size(); at += sizeof(uint64_t)) {
    sum += static_cast<uint64_t>(std::popcount(word_at(bytes, at)));
  }
  for (; at < bytes.size(); ++at) {
    sum += static_cast<uint64_t>(std::popcount(byte_at(bytes, at)));
  }
  return sum;
}

// Bits of a byte in front of `bit`, and behind it.
uint8_t before(uint64_t bit) { return static_cast<uint8_t>(~(0xff >> (bit % 8))); }
uint8_t behind(uint64_t bit) { return static_cast<uint8_t>(0x7f >> (bit % 8)); }

// The first bit of [from, to] in the bytes that is `bit`.
std::optional<uint64_t> find_in(std::string_view bytes, bool bit, uint64_t from, uint64_t to) {
  const uint8_t unwanted = bit ? 0x00 : 0xff;
  const uint64_t unwanted_word = bit ? 0 : ~uint64_t{0};
  const size_t last = to / 8;
  for (size_t at = from / 8; at <= last; ++at) {
    while (at % 8 == 0 && at + 8 <= last && word_at(bytes, at) == unwanted_word) {
      at += 8;
    }
    auto wanted = static_cast<uint8_t>(byte_at(bytes, at) ^ unwanted);
    if (at == from / 8) {
      wanted &= static_cast<uint8_t>(~before(from));
    }
    if (at == last) {
      wanted &= static_cast<uint8_t>(~behind(to));
    }
    if (wanted != 0) {
      return at * 8 + static_cast<uint64_t>(std::countl_zero(wanted));
    }
  }
  return std::nullopt;
}

}  // namespace

uint64_t count(const String& string, const Range& range) {
  const uint64_t first = range.first / 8;
  const uint64_t last = range.last / 8;
  uint64_t sum = 0;
  string.walk(first, last + 1, [&](const StringPiece& piece) {
    if (piece.bytes.empty()) {
      return true;
    }
    sum += count_all(piece.bytes);
    auto leave_out = [&](uint64_t byte, uint8_t bits) {
      if (byte >= piece.offset && byte - piece.offset < piece.size) {
        const auto out = static_cast<uint8_t>(byte_at(piece.bytes, byte - piece.offset) & bits);
        sum -= static_cast<uint64_t>(std::popcount(out));
      }
    };
    leave_out(first, before(range.first));
    leave_out(last, behind(range.last));
    return true;
  });
  return sum;
}

std::optional<uint64_t> find(const String& string, bool bit, const Range& range) {
  std::optional<uint64_t> found;
  string.walk(range.first / 8, range.last / 8 + 1, [&](const StringPiece& piece) {
    const uint64_t begin = piece.offset * 8;
    const uint64_t from = std::max(range.first, begin);
    const uint64_t to = std::min(range.last, begin + piece.size * 8 - 1);
    if (!piece.bytes.empty()) {
      found = find_in(piece.bytes, bit, from - begin, to - begin);
      if (found) {
        *found += begin;
      }
    } else if (!bit) {
      found = from;
    }
    return !found;
  });
  return found;
}

// ---------------------------------------------------------------- fields

namespace {

constexpr size_t kFieldBytes = 9;  // that 64 bits touch

uint64_t low_bits(uint32_t bits) { return ~uint64_t{0} >> (64 - bits); }

int64_t as_field(const FieldType& type, uint64_t value) {
  value &= low_bits(type.bits);
  const uint64_t sign = uint64_t{1} << (type.bits - 1);
  if (type.is_signed && (value & sign) != 0) {
    value |= ~low_bits(type.bits);
  }
  return static_cast<int64_t>(value);
}

}  // namespace

int64_t get(const String& string, uint64_t offset, const FieldType& type) {
  std::array<uint8_t, kFieldBytes> bytes;
  string.read(offset / 8, bytes);
  uint64_t value = 0;
  for (uint64_t bit = offset % 8; bit < offset % 8 + type.bits; ++bit) {
    value = value << 1 | (bytes[bit / 8] >> (7 - bit % 8) & 1u);
  }
  return as_field(type, value);
}

void set(String& string, uint64_t offset, const FieldType& type, int64_t value) {
  std::array<uint8_t, kFieldBytes> bytes;
  string.read(offset / 8, bytes);
  const uint64_t skip = offset % 8;
  for (uint32_t i = 0; i < type.bits; ++i) {
    const uint64_t at = skip + i;
    const auto mask = static_cast<uint8_t>(0x80 >> (at % 8));
    const bool on = (static_cast<uint64_t>(value) >> (type.bits - 1 - i) & 1) != 0;
    uint8_t& byte = bytes[at / 8];
    byte = static_cast<uint8_t>(on ? byte | mask : byte & ~mask);
  }
  const size_t touched = (skip + type.bits + 7) / 8;
  string.overwrite(offset / 8, {reinterpret_cast<const char*>(bytes.data()), touched});
}

namespace {

// Differences are computed modulo 2^64 as in Redis, whose rule for values far outside the range
// depends on it.
int64_t difference(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

// 1: above the range, -1: below it.
int side_of_signed(uint32_t bits, int64_t value, int64_t increment, int64_t max, int64_t min) {
  const int64_t most = difference(max, value);
  const int64_t least = difference(min, value);
  if (value > max || (bits != 64 && increment > most) ||
      (value >= 0 && increment > 0 && increment > most)) {
    return 1;
  }
  return value < min || (bits != 64 && increment < least) ||
                 (value < 0 && increment < 0 && increment < least)
             ? -1
             : 0;
}

int side_of_unsigned(uint64_t value, int64_t increment, uint64_t max) {
  const auto most = static_cast<int64_t>(max - value);
  const auto least = static_cast<int64_t>(-value);
  if (value > max || (increment > 0 && increment > most)) {
    return 1;
  }
  return increment < 0 && increment < least ? -1 : 0;
}

}  // namespace

Sum add(const FieldType& type, Overflow rule, int64_t value, int64_t increment) {
  const uint64_t sum = static_cast<uint64_t>(value) + static_cast<uint64_t>(increment);
  const auto max = static_cast<int64_t>(low_bits(type.bits) >> (type.is_signed ? 1 : 0));
  const int64_t min = type.is_signed ? -max - 1 : 0;
  const int side = type.is_signed ? side_of_signed(type.bits, value, increment, max, min)
                                  : side_of_unsigned(static_cast<uint64_t>(value), increment,
                                                     static_cast<uint64_t>(max));
  if (side == 0) {
    return {static_cast<int64_t>(sum), true};
  }
  return {rule == Overflow::kSaturate ? (side > 0 ? max : min) : as_field(type, sum), false};
}

// ---------------------------------------------------------------- BITOP

void Combination::fold(std::string_view bytes, bool is_first) {
  if (is_first) {
    result_.assign(bytes);
    return;
  }
  const size_t both = std::min(result_.size(), bytes.size());
  if (operation_ == Operation::kAnd) {
    result_.resize(both);
    for (size_t i = 0; i < both; ++i) {
      result_[i] = static_cast<char>(result_[i] & bytes[i]);
    }
    return;
  }
  CHECK_INVARIANT(operation_ != Operation::kNot);
  for (size_t i = 0; i < both; ++i) {
    result_[i] = static_cast<char>(operation_ == Operation::kOr ? result_[i] | bytes[i]
                                                                : result_[i] ^ bytes[i]);
  }
  if (bytes.size() > both) {
    result_.append(bytes.substr(both));
  }
}

// The first chunks are folded at once: what is found is valid until the next key is.
void Combination::add(const Key& source) {
  std::string_view bytes;
  if (source.live) {
    size_ = std::max(size_, source.meta.string_bytes());
    if (source.meta.spread) {
      spread_.push_back({source.collection(), source.meta.size});
      bytes = database_.elements().chunk(source.collection(), 0);
    } else {
      bytes = source.meta.value;
    }
  }
  fold(bytes, sources_++ == 0);
}

// A later chunk of the result. False: it is all zeros, for no source has it, or of AND not each.
bool Combination::fold_chunk(uint32_t index) {
  const uint64_t begin = index * chunk_bytes_;
  result_.clear();
  const auto ends_and = [this] {
    return operation_ == Operation::kAnd && spread_.size() < sources_;
  };
  if (ends_and()) {
    return false;
  }
  // What has ended is asked no more: a command may name a million short ones beside a long one.
  std::erase_if(spread_, [begin](const Spread& source) { return source.size <= begin; });
  if (ends_and()) {
    return false;
  }
  bool is_first = true;
  for (const Spread& source : spread_) {
    fold(database_.elements().chunk(source.chunks, index), is_first);
    is_first = false;
    if (operation_ == Operation::kAnd && result_.empty()) {
      return false;
    }
  }
  return operation_ == Operation::kNot || !result_.empty();
}

// The chunk has `size` bytes.
void Combination::finish(uint64_t size) {
  if (operation_ == Operation::kNot) {
    result_.resize(size, '\0');
    for (char& c : result_) {
      c = static_cast<char>(~c);
    }
  }
}

void Combination::store(Key& target) {
  CHECK_INVARIANT(size_ != 0);
  finish(std::min(size_, chunk_bytes_));
  if (size_ > chunk_bytes_) {
    return store_spread(target);
  }
  result_.resize(size_, '\0');
  String::assign(database_, target, result_, 0, true);
}

// Under a version that no key has yet, so that a source which is the target is there to the end.
void Combination::store_spread(Key& target) {
  database_.effects().spend_string(size_);
  Key built;
  built.name = target.name;
  built.database = target.database;
  database_.begin_new(built, String::kType);
  bool stored = !result_.empty();
  for (uint32_t index = 0;;) {
    if (stored) {
      database_.elements().put_chunk(built.collection(), index, 0, result_);
    }
    if (++index * chunk_bytes_ >= size_) {
      break;
    }
    stored = fold_chunk(index);
    if (stored) {
      finish(std::min(size_ - index * chunk_bytes_, chunk_bytes_));
    }
  }
  built.meta.spread = true;
  built.meta.converted = true;
  built.meta.size = size_;
  database_.replace(target, built.meta);
}

}  // namespace kiwi::resp::bits
