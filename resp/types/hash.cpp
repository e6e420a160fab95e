#include "resp/types/hash.hpp"

#include "config/base/check.hpp"

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

bool Hash::set(std::string_view field, std::string_view value, int64_t deadline_ms) {
  return store(field, value, deadline_ms, false);
}

bool Hash::set_keeping_deadline(std::string_view field, std::string_view value) {
  return store(field, value, 0, true);
}

bool Hash::store(std::string_view field, std::string_view value, int64_t deadline_ms, bool keep) {
  PackedEntry old;
  const bool stored = find_stored(field, old);
  const bool there = stored && !old.is_due(key_.now_ms);
  PackedEntry entry{.name = field, .deadline_ms = deadline_ms, .value = value};
  if (keep && there) {
    entry.deadline_ms = old.deadline_ms;
  }
  begin_change();
  if (stored) {
    replace(old, entry);
  } else {
    insert(entry, packed_end());
  }
  key_.meta.converted = key_.meta.converted || !fits_listpack(field) || !fits_listpack(value) ||
                        has_more_than(kListpackFields);
  return !there;
}

// ---------------------------------------------------------------- deadlines

std::optional<int64_t> Hash::deadline(std::string_view field) const {
  PackedEntry entry;
  return find(field, entry) ? std::optional(entry.deadline_ms) : std::nullopt;
}

void Hash::set_deadline(std::string_view field, int64_t deadline_ms) {
  PackedEntry old;
  const bool there = find(field, old);
  CHECK_INVARIANT(there && (deadline_ms == 0 || deadline_ms > key_.now_ms));
  value_.assign(old.value);  // which dies with the first change
  begin_change();
  replace(old, {.name = field, .deadline_ms = deadline_ms, .value = value_});
}

uint64_t Hash::reclaim(uint64_t most, bool& done) {
  done = true;
  if (!spread()) {
    begin_change();
    key_.fields_due_ms = packing::deadlines(packed_, key_.now_ms).first_ms;
    key_.index_anew = true;
    return left_out();
  }
  FieldDeadlines& index = database().field_deadlines();
  const auto fields = index.first_due(key_.collection(), key_.now_ms, most);
  constexpr size_t kFew = 64;  // a range tombstone costs every later read more than a few erases
  const bool in_one = fields.size() > kFew;
  begin_change();
  for (const FieldDeadlines::Field& field : fields) {
    take_out({.name = field.name, .deadline_ms = field.deadline_ms}, !in_one);
  }
  if (in_one) {
    index.drop_to(key_.collection(), fields.back());
  }
  const auto left = index.first(key_.collection(), 1);
  done = left.empty() || left.front().deadline_ms > key_.now_ms;
  if (done) {
    key_.fields_due_ms = left.empty() ? 0 : left.front().deadline_ms;
    key_.index_anew = true;
  }
  return fields.size();
}

// ---------------------------------------------------------------- random fields

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
