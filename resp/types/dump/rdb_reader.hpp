// The primitives of RDB (Redis' rdb.h, versions 1 to 12): lengths, strings in their three
// encodings, scores. Over bytes that anybody may have made: once a read does not fit, ok() is false
// for good and reads give nothing. Any thread; no copy but of compressed strings.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace kiwi::resp::dump {

class RdbReader {
 public:
  explicit RdbReader(std::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  std::string_view rest() const { return bytes_; }
  void fail() { ok_ = false; }
  // Called before a compressed string is unpacked, which may refuse it by an exception: with what
  // it takes here, and what it says that it will take.
  using BeforeUnpacking = std::function<void(size_t packed, size_t size)>;
  void before_unpacking(BeforeUnpacking asked) { before_unpacking_ = std::move(asked); }

  uint8_t byte();
  uint64_t little(size_t size);  // of at most 8 bytes
  std::string_view raw(size_t size);
  uint64_t length();
  // Valid until the next string that is compressed or a number.
  std::string_view string();
  double binary_double();
  double text_double();  // as sorted sets had it before version 8

 private:
  std::string_view encoded_string(uint8_t how);
  // A length, or with the first two bits set how a string is encoded.
  uint64_t length_or_encoding(bool* encoded);

  std::string_view bytes_;
  std::string kept_;
  BeforeUnpacking before_unpacking_;
  bool ok_ = true;
};

}  // namespace kiwi::resp::dump
