#include "resp/types/set.hpp"

#include <vector>

#include "config/base/check.hpp"
#include "resp/types/random_members.hpp"

namespace kiwi::resp {

bool Set::contains(std::string_view member) const {
  return !empty() && elements().get(key_.collection(), member).has_value();
}

bool Set::add(std::string_view member) {
  if (contains(member)) {
    return false;
  }
  begin_change(kType);
  elements().put(key_.collection(), member, {});
  ++key_.meta.size;
  return true;
}

bool Set::remove(std::string_view member) {
  if (!contains(member)) {
    return false;
  }
  begin_change(kType);
  elements().erase(key_.collection(), member);
  --key_.meta.size;
  return true;
}

void Set::clear() {
  if (!empty()) {
    begin_change(kType);
    elements().drop(key_);
    key_.meta.size = 0;
  }
}

void Set::pop(uint64_t count, Prng& prng, const MemberVisit& visit) {
  // The last ones go one by one; for more than so many a range erase is less.
  constexpr uint64_t kFew = 64;
  CHECK_INVARIANT(count <= size());
  if (count == size() && count > kFew) {
    if (visit) {
      const Steps::ForAnswer for_answer(database().steps());
      each(visit);
    }
    clear();
    return;
  }
  if (count == 0) {
    return;
  }
  std::vector<std::string> members;
  random_different(count, prng, [&](std::string_view member) {
    database().effects().spend(member.size());
    members.emplace_back(member);
    return true;
  });
  CHECK_INVARIANT(members.size() == count);
  begin_change(kType);
  for (const std::string& member : members) {
    if (visit) {
      visit(member);
    }
    elements().erase(key_.collection(), member);
  }
  key_.meta.size -= count;
}

std::string Set::random(Prng& prng) const {
  return std::string(RandomMembers(database(), key_).draw(prng));
}

void Set::random_different(uint64_t count, Prng& prng, const MemberVisit& visit) const {
  RandomMembers(database(), key_).different(count, prng, visit);
}

void Set::random_repeated(uint64_t count, Prng& prng, const MemberVisit& visit) const {
  RandomMembers(database(), key_).repeated(count, prng, visit);
}

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
  database.create(key, meta);
  for (const std::string& member : members) {
    database.elements().put(key.collection(), member, {});
  }
}

}  // namespace kiwi::resp
