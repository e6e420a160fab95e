// The table alone, over a std::map that stands for RocksDB: whatever is erased, frozen, flushed,
// freed and evicted in between, it shows what was written.
#include "rocks/table/state_table.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/checksum.hpp"
#include "config/base/prng.hpp"
#include "tests/rocks/support.hpp"

namespace kiwi::rocks::test {

namespace {

using Map = std::map<std::string, std::string, std::less<>>;
constexpr Family kFamily = Family::kElement;

class TableRun {
 public:
  // Of so many times that an epoch could end, it does once: long ones collect many cuts.
  TableRun(uint64_t seed, uint64_t bytes, size_t erased_at_once, uint64_t ends = 1)
      : random_(seed), table_(bytes, erased_at_once), ends_(ends) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
    }
    check_all();
    while (!frozen_.empty() || table_.dirty()) {
      freeze();
      flush();
      check_all();
    }
    while (table_.tidy(100)) {
    }
    check_all();
    REQUIRE(files_ == model_);
    size_t tombstones = 0;
    const TableIndex& index = table_.index(kFamily);
    for (auto place = index.begin(); place != index.end(); place = index.next(place)) {
      tombstones += index.at(place)->present ? 0 : 1;
    }
    REQUIRE(tombstones == 0);  // all of them are clean
  }

 private:
  std::string key() { return "k" + std::to_string(1000 + random_.below(900)); }

  void step() {
    const uint64_t pick = random_.below(1000);
    const std::string at = key();
    if (pick < 400) {
      const std::string value(random_.below(20) == 0 ? random_.below(5000) : random_.below(40),
                              'v');
      table_.put(checksum64(at), kFamily, at, value);
      model_[at] = value;
    } else if (pick < 650) {
      table_.erase(checksum64(at), kFamily, at);
      model_.erase(at);
    } else if (pick < 670) {
      erase_range(at);
    } else if (pick < 900) {
      read(at);
    } else if (pick < 930) {
      walk(at);
    } else if (pick < 945) {
      if (random_.chance(1, ends_)) {
        freeze();
      }
    } else if (pick < 960) {
      flush();
    } else if (pick < 975) {
      table_.tidy(random_.below(200));
    } else if (pick < 990) {
      table_.evict(random_.below(300));
    } else {
      table_.index(kFamily).check();
    }
  }

  void erase_range(const std::string& from) {
    const std::string to = random_.chance(1, 10) ? "" : key();
    table_.erase_range(kFamily, from, to);
    if (to.empty() || from < to) {
      model_.erase(model_.lower_bound(from), to.empty() ? model_.end() : model_.lower_bound(to));
    }
  }

  std::optional<std::string> in_files(std::string_view at) const {
    const auto found = files_.find(at);
    return found == files_.end() || table_.erased_range(kFamily, at) != nullptr
               ? std::nullopt
               : std::optional(found->second);
  }
  void read(const std::string& at) {
    const auto expected = model_.find(at);
    const TableNode* node = table_.find(checksum64(at), kFamily, at);
    std::optional<std::string> found;
    if (node == nullptr) {
      found = in_files(at);
      if (table_.erased_range(kFamily, at) == nullptr) {
        table_.insert_clean(checksum64(at), kFamily, at, found.has_value(), found.value_or(""));
      }
    } else if (node->present) {
      found = node->value();
    }
    REQUIRE(found.has_value() == (expected != model_.end()));
    REQUIRE((!found.has_value() || *found == expected->second));
  }

  // As a cursor: the table's records over what files hold.
  void walk(const std::string& from) {
    table_.open_cursor();
    const TableIndex& index = table_.index(kFamily);
    auto place = index.lower_bound(from);
    auto below = files_.lower_bound(from);
    auto expected = model_.lower_bound(from);
    for (int steps = 0; steps < 50;) {
      TableNode* node = place == index.end() ? nullptr : index.at(place);
      const bool file = below != files_.end() && (node == nullptr || below->first < node->key());
      if (node == nullptr && !file) {
        REQUIRE(expected == model_.end());
        break;
      }
      std::optional<std::string> value;
      std::string at;
      if (file) {
        at = below->first;
        value = in_files(at);
        ++below;
      } else {
        at = node->key();
        below = below != files_.end() && below->first == at ? std::next(below) : below;
        place = index.next(place);
        if (node->present) {
          value = node->value();
        } else {
          table_.passes(node);
        }
      }
      if (value.has_value()) {
        REQUIRE(expected != model_.end());
        REQUIRE(at == expected->first);
        REQUIRE(*value == expected->second);
        ++expected;
        ++steps;
      }
    }
    table_.close_cursor();
  }

  void check_all() {
    table_.index(kFamily).check();
    for (int number = 1000; number < 1900; ++number) {
      read("k" + std::to_string(number));
    }
  }

  void freeze() {
    if (table_.dirty()) {
      frozen_.push_back(table_.freeze(LogIndex{++index_}));
    }
  }
  // What the flusher does with an epoch.
  void flush() {
    if (frozen_.empty()) {
      return;
    }
    const FrozenEpoch& epoch = *frozen_.front();
    for (const auto& [from, end] : epoch.ranges[static_cast<size_t>(kFamily)].merged()) {
      files_.erase(files_.lower_bound(from),
                   end.never ? files_.end() : files_.lower_bound(end.key));
    }
    HoldsAtEnd holds(epoch);
    for (size_t i = epoch.nodes.size(); i-- > 0;) {
      if (holds(i)) {
        REQUIRE(epoch.nodes[i]->epoch == epoch.number);
        files_[std::string(epoch.nodes[i]->key())] = epoch.nodes[i]->value();
      }
    }
    for (const TableNode* node : epoch.tombstones) {
      REQUIRE(node->epoch == epoch.number);
      if (!epoch.ranges[static_cast<size_t>(kFamily)].contains(node->key())) {
        REQUIRE(files_.erase(std::string(node->key())) <= 1);
      }
    }
    const uint32_t number = epoch.number;
    frozen_.erase(frozen_.begin());
    table_.flushed(number);
  }

  Prng random_;
  StateTable table_;
  const uint64_t ends_;
  Map model_;
  Map files_;
  std::vector<std::shared_ptr<const FrozenEpoch>> frozen_;
  uint64_t index_ = 0;
};

}  // namespace

TEST_CASE("state table: random operations show what the model holds [I5, I6, I10, F57, F58]") {
  for (uint64_t seed = 1; seed <= rounds(15); ++seed) {
    CAPTURE(seed);
    const uint64_t bytes = seed % 3 == 0 ? 8 << 10 : seed % 3 == 1 ? 100 << 10 : 64 << 20;
    TableRun(seed, bytes, seed % 4 == 0 ? StateTable::kErasedAtOnce : seed % 4,
             seed % 5 == 0 ? 60 : 1)
        .run(6000);
  }
}

// Memory that is not touched is not there: as much as the option allows.
TEST_CASE("state table: works with the largest budget, 1 TiB [F58]") {
  StateTable table(uint64_t{1} << 40);
  for (uint64_t i = 0; i < 1000; ++i) {
    const std::string key = "k" + std::to_string(i);
    table.put(i * 0x9e3779b97f4a7c15, Family::kMeta, key, "v");
    REQUIRE(table.find(i * 0x9e3779b97f4a7c15, Family::kMeta, key) != nullptr);
  }
  CHECK(table.records() == 1000);
}

}  // namespace kiwi::rocks::test
