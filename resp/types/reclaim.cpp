#include "resp/types/reclaim.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "config/base/check.hpp"
#include "resp/types/hash.hpp"

namespace kiwi::resp {

using rocks::DatabaseId;
namespace keys = rocks::keys;

namespace {

// No write may happen under the walk, so it goes in steps.
constexpr size_t kNameBytes = 256 << 10;
// What goes has a name, and records of keys that stay are written again, some of which are long:
// then the entry ends early.
constexpr size_t kWrittenBytes = 4 << 20;

class Reclaim {
 public:
  Reclaim(Database& database, int64_t now_ms, uint64_t most)
      : database_(database), now_ms_(now_ms), left_(std::min(most, kReclaimMost)) {}

  Reclaimed run() {
    for (const DatabaseId database : database_.indexed_databases()) {
      if (is_full()) {
        break;
      }
      walk(database);
    }
    database_.forget_names();
    return done_;
  }

 private:
  bool is_full() const { return left_ == 0 || written_ > kWrittenBytes; }

  void walk(DatabaseId database) {
    while (!is_full()) {
      const std::vector<ExpiryPlace> places = next_places(database);
      if (places.empty()) {
        raise_floor(database, {now_ms_ + 1, {}});
        return;
      }
      for (const ExpiryPlace& place : places) {
        const bool finished = !is_full() && one(database, place);
        if (!finished) {
          raise_floor(database, place);
          return;
        }
      }
      raise_floor(database, places.back());
    }
  }

  std::vector<ExpiryPlace> next_places(DatabaseId database) {
    std::vector<ExpiryPlace> places;
    size_t bytes = 0;
    for (auto at = database_.expiry_index().cursor(database);
         at->valid() && places.size() < left_ && bytes < kNameBytes; at->next()) {
      database_.step();
      const auto key = keys::parse_expiry(at->key());
      CHECK_INVARIANT(key.has_value() && key->database == database);
      if (key->deadline_ms > now_ms_) {
        break;
      }
      places.push_back({key->deadline_ms, std::string(key->user_key)});
      bytes += key->user_key.size();
    }
    return places;
  }

  void raise_floor(DatabaseId database, const ExpiryPlace& place) {
    if (database_.expiry_index().floor(database) < place) {
      database_.expiry_index().set_floor(database, place);
    }
  }

  void spend(uint64_t records) { left_ -= std::min(left_, std::max<uint64_t>(records, 1)); }

  // The key that stands there. False: it, or some of its fields, has to wait for the next entry.
  bool one(DatabaseId database, const ExpiryPlace& place) {
    database_.forget_names();
    Key key = database_.find(database, place.name, now_ms_);
    CHECK_INVARIANT(key.present && key.meta.indexed_at_ms == place.deadline_ms);
    // One of them may be as long as it likes, or it would wait for ever.
    const size_t bytes = place.name.size() + (key.live ? key.meta.value.size() : 0);
    if (written_ != 0 && written_ + bytes > kWrittenBytes) {
      left_ = 0;
      return false;
    }
    written_ += bytes;
    CHECK_INVARIANT(left_ != 0 && done_.keys + done_.fields < kReclaimMost);
    if (!key.live) {
      database_.remove_expired(key);
      ++done_.keys;
      spend(1);
      return true;
    }
    // It costs nothing of the entry's bound: what no entry can pay for would stay in front for
    // ever.
    database_.effects().carry(key.meta.value.size());
    if (key.meta.field_deadlines == 0) {
      database_.reindex(key);
      ++done_.moved;
      spend(1);
      return true;
    }
    bool finished = false;
    Hash hash(database_);
    hash.stand_for(key);
    const uint64_t gone = hash.reclaim(left_, finished);
    CHECK_INVARIANT(finished || gone != 0);
    hash.save();
    if (gone != 0) {
      database_.tell({config::kEventHash, "hexpired"}, key);
    }
    if (!hash.exists()) {
      database_.tell({config::kEventGeneric, "del"}, key);
    }
    done_.fields += gone;
    done_.moved += finished && hash.key().meta.indexed_at_ms != 0 ? 1 : 0;
    spend(gone);
    return finished;
  }

  Database& database_;
  const int64_t now_ms_;
  uint64_t left_;
  size_t written_ = 0;
  Reclaimed done_;
};

}  // namespace

Reclaimed reclaim(Database& database, int64_t now_ms, uint64_t most) {
  return Reclaim(database, now_ms, most).run();
}

std::optional<int64_t> due_since(Database& database, int64_t now_ms) {
  std::optional<int64_t> since;
  for (const DatabaseId id : database.indexed_databases()) {
    const auto first = database.expiry_index().first_due(id, now_ms);
    since = first && (!since || *first < *since) ? first : since;
  }
  return since;
}

}  // namespace kiwi::resp
