#include "resp/types/set.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "config/base/check.hpp"
#include "config/base/decimal.hpp"
#include "resp/types/element_value.hpp"

namespace kiwi::resp {

namespace {

// Redis keeps a set as an intset up to so many members, all integers. Options change it there; here
// it decides the order of members in records.
constexpr uint64_t kIntsetMembers = 512;

// The entries of a set whose members come in the order of their bytes.
std::string pack(const Set::Members& members, bool converted) {
  std::string entries;
  for (const std::string& member : members) {
    const size_t place =
        converted ? entries.size() : packing::place_of_integer(entries, *parse_decimal(member));
    packing::replace(entries, place, place, HashedKind::kSet, {.name = member});
  }
  return entries;
}

}  // namespace

bool Set::contains(std::string_view member) const {
  PackedEntry entry;
  return find(member, entry);
}

bool Set::add(std::string_view member) {
  if (contains(member)) {
    return false;
  }
  begin_change();
  const std::optional<int64_t> integer = parse_decimal(member);
  key_.meta.converted = key_.meta.converted || !integer || size() >= kIntsetMembers;
  const bool ascending = !key_.meta.converted && !spread();
  insert({.name = member}, ascending ? packing::place_of_integer(packed_, *integer) : packed_end());
  return true;
}

// ---------------------------------------------------------------- random members

void Set::pop(uint64_t count, Prng& prng, const MemberVisit& visit) {
  CHECK_INVARIANT(count <= size());
  if (count > 0) {
    spread() ? pop_spread(count, prng, visit) : pop_packed(count, prng, visit);
  }
}

void Set::pop_packed(uint64_t count, Prng& prng, const MemberVisit& visit) {
  begin_change();
  std::string kept;
  size_t kept_to = 0;  // what stands in front of it is in `kept`, or goes
  draw_different(count, prng, [&](const PackedEntry& entry) {
    kept.append(packed_, kept_to, entry.begin - kept_to);
    kept_to = entry.end;
    if (visit) {
      visit(entry.name);
    }
    return true;
  });
  packed_.replace(0, kept_to, kept);
  key_.meta.size -= count;
}

void Set::pop_spread(uint64_t count, Prng& prng, const MemberVisit& visit) {
  // The last ones go one by one; for more than so many a range erase is less.
  constexpr uint64_t kFew = 64;
  if (count == size() && count > kFew) {
    if (visit) {
      const Steps::ForAnswer for_answer(database().steps());
      each(visit);
    }
    return clear();
  }
  std::vector<std::string> members;
  random_different(count, prng, [&](std::string_view member) {
    database().effects().spend(member.size());
    members.emplace_back(member);
    return true;
  });
  CHECK_INVARIANT(members.size() == count);
  begin_change();
  for (const std::string& member : members) {
    if (visit) {
      visit(member);
    }
    elements().erase(key_.collection(), member);
  }
  key_.meta.removed = stamp();
  key_.meta.size -= count;
}

std::string Set::random(Prng& prng) const {
  std::string member;
  draw(prng, [&](const PackedEntry& entry) { return member.assign(entry.name), true; });
  return member;
}

void Set::random_different(uint64_t count, Prng& prng, const MemberVisit& visit) const {
  draw_different(count, prng, [&](const PackedEntry& entry) { return visit(entry.name); });
}

void Set::random_repeated(uint64_t count, Prng& prng, const MemberVisit& visit) const {
  draw_repeated(count, prng, [&](const PackedEntry& entry) { return visit(entry.name); });
}

// ---------------------------------------------------------------- whole sets

void Set::replace(Database& database, Key& key, const Members& members) {
  if (members.empty()) {
    if (key.live) {
      database.remove(key);
    }
    return;
  }
  rocks::Metadata meta;
  meta.type = kType;
  meta.size = members.size();
  size_t bytes = 0;
  for (const std::string& member : members) {
    bytes += packing::entry_bytes(HashedKind::kSet, {.name = member});
  }
  meta.spread = bytes > database.shape().packed_bytes;
  meta.converted = members.size() > kIntsetMembers ||
                   !std::all_of(members.begin(), members.end(), [](const std::string& member) {
                     return parse_decimal(member).has_value();
                   });
  const std::string entries = meta.spread ? std::string() : pack(members, meta.converted);
  meta.value = entries;
  database.create(key, meta);
  if (meta.spread) {
    std::string record;
    encode_member(record, 0);
    Effects::Build build(database.effects(), key.collection());
    for (const std::string& member : members) {
      database.elements().put(key.collection(), member, record);
    }
    build.finish();
  }
}

}  // namespace kiwi::resp
