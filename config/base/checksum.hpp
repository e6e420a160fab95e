// The checksums of everything Kiwi stores or sends: XXH3, 64 bits for records, 128 bits for whole
// files and whole states.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string_view>

namespace kiwi {

uint64_t checksum64(std::string_view bytes, uint64_t seed = 0);
// Of the first with the second behind it.
uint64_t checksum64_of_both(std::string_view first, std::string_view second);

struct Checksum128 {
  uint64_t low = 0;
  uint64_t high = 0;
  auto operator<=>(const Checksum128&) const = default;
};

// Of bytes that come in pieces; where one piece ends does not count.
class Hasher128 {
 public:
  Hasher128();
  ~Hasher128();
  Hasher128(const Hasher128&) = delete;
  Hasher128& operator=(const Hasher128&) = delete;

  void add(std::string_view bytes);
  Checksum128 sum() const;  // of everything so far

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kiwi
