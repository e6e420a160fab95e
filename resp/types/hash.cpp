#include "resp/types/hash.hpp"

namespace kiwi::resp {

namespace {

// Beyond either Redis gives up the listpack, for ever. Options change it there; here it decides
// what OBJECT ENCODING and DUMP say.
constexpr uint64_t kListpackFields = 512;
constexpr size_t kListpackValue = 64;

bool fits_listpack(std::string_view bytes) { return bytes.size() <= kListpackValue; }

}  // namespace

std::optional<std::string_view> Hash::get(std::string_view field) const {
  PackedEntry entry;
  return find(field, entry) ? std::optional(entry.value) : std::nullopt;
}

bool Hash::set(std::string_view field, std::string_view value) {
  PackedEntry old;
  const bool there = find(field, old);
  begin_change();
  const PackedEntry entry{.name = field, .value = value};
  if (there) {
    replace(old, entry);
  } else {
    insert(entry, packed_end());
  }
  key_.meta.converted = key_.meta.converted || !fits_listpack(field) || !fits_listpack(value) ||
                        size() > kListpackFields;
  return !there;
}

void Hash::random(Prng& prng, const FieldVisit& visit) const {
  draw(prng, [&](const PackedEntry& entry) { return visit(entry.name, entry.value); });
}

void Hash::random_different(uint64_t count, Prng& prng, const FieldVisit& visit) const {
  draw_different(count, prng,
                 [&](const PackedEntry& entry) { return visit(entry.name, entry.value); });
}

void Hash::random_repeated(uint64_t count, Prng& prng, const FieldVisit& visit) const {
  draw_repeated(count, prng,
                [&](const PackedEntry& entry) { return visit(entry.name, entry.value); });
}

}  // namespace kiwi::resp
