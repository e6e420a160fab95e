// Strings against std::string, on all keyspaces, with undo and new starts; over other types too.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "resp/types/element_value.hpp"
#include "resp/types/lcs.hpp"
#include "resp/types/string_value.hpp"
#include "tests/types/world.hpp"

namespace kiwi::resp::types_test {
namespace {

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out.push_back(kDigits[static_cast<uint8_t>(c) >> 4]);
    out.push_back(kDigits[static_cast<uint8_t>(c) & 15]);
  }
  return out;
}

constexpr Shape kTinyChunks{.chunk_bytes = 16};

uint64_t chunks_of(uint64_t bytes, const Shape& shape) {
  return (bytes + shape.chunk_bytes - 1) / shape.chunk_bytes;
}

template <class On>
class StringRun {
 public:
  StringRun(uint64_t seed, const Shape& shape, uint64_t longest)
      : w_(shape), random_(seed), longest_(longest) {}

  void run(int commands) {
    run_commands(
        w_, random_, model_, commands, [&] { one(any_name(random_)); }, [&] { audit(); });
  }

 private:
  std::string bytes() {
    return std::string(random_.below(longest_), static_cast<char>('a' + random_.below(26)));
  }

  void one(std::string_view name) {
    switch (random_.below(8)) {
      case 0:
        return over_another_type(name);
      case 1:
        return assign(name);
      case 2:
        return move(name);
      case 3:
        return remove(name);
      default:
        return edit(name);
    }
  }

  void edit(std::string_view name) {
    String& string = w_.template open<String>(name);
    std::string& model = model_[name];
    for (uint64_t edits = random_.below(3) + 1; edits > 0; --edits) {
      const std::string value = bytes();
      const uint64_t offset = random_.below(longest_ * 3 / 2);
      switch (random_.below(4)) {
        case 0:
          if (!string.changed()) {
            string.replace(value);
            model = value;
          }
          break;
        case 1:
          string.append(value);
          model += value;
          break;
        case 2:
          string.extend(offset);
          model.resize(std::max<size_t>(model.size(), offset), '\0');
          break;
        default:
          string.overwrite(offset, value);
          model.resize(std::max<size_t>(model.size(), offset + value.size()), '\0');
          model.replace(offset, value.size(), value);
      }
      REQUIRE(string.size() == model.size());
      look_at(string, model);
    }
    if (!string.changed() && !string.exists()) {
      model_.erase(name);
    }
    string.save();
    REQUIRE(string.size() == model.size());
  }

  // Some bytes, also behind the end, while others are not saved yet.
  void look_at(const String& string, const std::string& model) {
    uint8_t seen[9];
    const uint64_t at = random_.below(model.size() + 4);
    string.read(at, seen);
    for (size_t i = 0; i < sizeof(seen); ++i) {
      const char wanted = at + i < model.size() ? model[at + i] : '\0';
      REQUIRE(seen[i] == static_cast<uint8_t>(wanted));
    }
  }

  void over_another_type(std::string_view name) {
    Key key = w_.find(name);
    Set::replace(w_.database(), key, {"a", "b"});
    assign(name);
  }

  void assign(std::string_view name) {
    Key key = w_.find(name);
    std::string value = bytes();
    String::assign(w_.database(), key, value, 0);
    model_[name] = std::move(value);
  }

  void move(std::string_view name) {
    const std::string_view other = any_name(random_);
    Key from = w_.find(name);
    Key to = w_.find(other);
    if (!from.live || other == name) {
      return;
    }
    model_[other] = model_[name];
    if (random_.chance(1, 2)) {
      return w_.database().copy(from, to);
    }
    w_.database().rename(from, to);
    model_.erase(name);
  }

  void remove(std::string_view name) {
    Key key = w_.find(name);
    if (key.live) {
      w_.database().remove(key);
      model_.erase(name);
    }
  }

  void audit() {
    w_.begin();
    uint64_t chunks = 0;
    for (std::string_view name : kNames) {
      const String& string = w_.template read<String>(name);
      REQUIRE(string.exists() == model_.contains(name));
      if (string.exists()) {
        std::string space;
        REQUIRE(string.gather(space) == model_[name]);
        parts(string, model_[name]);
        chunks += records(name, model_[name]);
      }
    }
    REQUIRE(w_.records(rocks::Family::kElement) == chunks);
    REQUIRE(w_.records(rocks::Family::kMeta) == model_.size());
  }

  void parts(const String& string, const std::string& model) {
    const uint64_t from = random_.below(model.size() + 1);
    const uint64_t to = from + random_.below(model.size() - from + 1);
    std::string seen;
    string.walk(from, to, [&](const StringPiece& piece) {
      REQUIRE(piece.offset == from + seen.size());
      REQUIRE((piece.bytes.empty() || piece.bytes.size() == piece.size));
      seen.append(piece.bytes);
      seen.resize(piece.offset + piece.size - from, '\0');
      return true;
    });
    REQUIRE(seen == model.substr(from, to - from));
  }

  // No chunk behind the end, none too long, no stamp newer than the last change (M8).
  uint64_t records(std::string_view name, const std::string& model) {
    const Key key = w_.find(name);
    REQUIRE((key.meta.spread || key.meta.value == model));
    REQUIRE((!key.meta.spread || key.meta.size == model.size()));
    REQUIRE((key.meta.spread || model.size() <= w_.shape().chunk_bytes));
    std::string from;
    std::string to;
    rocks::keys::collection_begin(from, key.collection());
    rocks::keys::collection_end(to, key.collection());
    uint64_t count = 0;
    auto at = w_.keyspace().cursor(rocks::Family::kElement, from, to);
    for (; at->valid(); at->next(), ++count) {
      REQUIRE(rocks::keys::chunk_index(at->key()) < chunks_of(model.size(), w_.shape()));
      REQUIRE(decode_chunk(at->value())->size() <= w_.shape().chunk_bytes);
      REQUIRE(ByteReader(at->value()).varint() <= key.meta.last_modified - key.meta.version);
    }
    REQUIRE((key.meta.spread || count == 0));
    return count;
  }

  World<On> w_;
  Prng random_;
  const uint64_t longest_;
  std::map<std::string_view, std::string> model_;
};

TEST_SUITE_BEGIN("types/string");

TEST_CASE_TEMPLATE(
    "strings do what std::string does, undone commands nothing", On, InMemory, OnRocks, OnTable) {
  INFO(On::kName);
  StringRun<On>(31, kShape, 40).run(rounds_on<On>(800, 4));
  StringRun<On>(32, kTinyChunks, 40).run(rounds_on<On>(1500, 4));
  StringRun<On>(33, kTinyChunks, 1200)
      .run(rounds_on<On>(400, 4));  // so long that cursors walk and ranges are erased
  StringRun<On>(34, kShape, 30'000).run(rounds_on<On>(200, 4));
}

struct Records {
  std::vector<std::string> chunks;  // hex of number and record
};

template <class On>
Records records_of(World<On>& w, std::string_view name) {
  Records found;
  std::string from;
  std::string to;
  const Key key = w.find(name);
  rocks::keys::collection_begin(from, key.collection());
  rocks::keys::collection_end(to, key.collection());
  for (auto at = w.keyspace().cursor(rocks::Family::kElement, from, to); at->valid(); at->next()) {
    found.chunks.push_back(hex(at->key().substr(from.size())) + " " + hex(at->value()));
  }
  return found;
}

TEST_CASE("golden bytes: a string's chunks, with numbers and stamps; what is zeros is not there") {
  World<InMemory> w(kTinyChunks);
  w.command(false, [&] {
    String& string = w.open<String>("k");
    string.append("0123456789abcdef");
    string.save();
    CHECK(!string.spread());
    string.append("g");
    string.save();
  });
  CHECK(records_of(w, "k").chunks ==
        std::vector<std::string>{"00000000 0130313233343536373839616263646566", "00000001 0167"});
  w.command(false, [&] {
    String& string = w.open<String>("k");
    string.overwrite(70, "x");
    string.save();
  });
  CHECK(records_of(w, "k").chunks ==
        std::vector<std::string>{"00000000 0130313233343536373839616263646566", "00000001 0167",
                                 "00000004 0200000000000078"});
  CHECK(w.find("k").meta.size == 71);
}

TEST_CASE("a value that is as long is written over its chunks, a shorter one has a new version") {
  World<InMemory> w(kTinyChunks);
  auto assign = [&](size_t size) {
    w.command(false, [&] {
      Key key = w.find("k");
      String::assign(w.database(), key, std::string(size, 'v'), 0);
    });
    return w.find("k").meta;
  };
  const rocks::Metadata first = assign(40);
  const rocks::Metadata same = assign(33);
  CHECK(same.version == first.version);
  CHECK(same.last_modified > first.last_modified);
  CHECK(w.records(rocks::Family::kElement) == 3);
  CHECK(assign(50).version == first.version);
  const rocks::Metadata shorter = assign(20);
  CHECK(shorter.version > first.version);
  CHECK(w.records(rocks::Family::kElement) == 2);
  CHECK(!assign(16).spread);
  CHECK(w.records(rocks::Family::kElement) == 0);
}

TEST_CASE("bytes far behind the end are one chunk") {
  World<InMemory> w;
  w.command(false, [&] {
    String& string = w.open<String>("k");
    string.overwrite(400'000'000, "b");
    string.overwrite(400'000'001, "c");
    string.save();
  });
  CHECK(w.find("k").meta.size == 400'000'002);
  CHECK(records_of(w, "k").chunks.size() == 1);
  std::string seen;
  w.read<String>("k").walk(399'999'990, 400'000'002, [&](const StringPiece& piece) {
    seen.append(piece.bytes);
    return true;
  });
  CHECK(seen == std::string(10, '\0') + "bc");
}

TEST_CASE("a string that is written to keeps its deadline; one that is assigned has its own") {
  World<InMemory> w;
  w.command(false, [&] {
    Key key = w.find("k");
    String::assign(w.database(), key, "v", w.now_ms + 50);
    String& string = w.open<String>("k");
    string.append("w");
    string.save();
  });
  CHECK(w.find("k").meta.expire_at_ms == w.now_ms + 50);
  w.command(false, [&] {
    Key key = w.find("k");
    String::assign(w.database(), key, "v", 0);
  });
  CHECK(w.find("k").meta.expire_at_ms == 0);
}

TEST_CASE("longest common subsequence: what it is, and where it lies in both") {
  Steps steps;
  steps.begin();
  const LcsTable table("ohmytext", "mynewtext", steps);
  CHECK(table.length() == 6);
  std::string common;
  std::vector<LcsMatch> matches;
  table.walk(common, matches);
  CHECK(common == "mytext");
  REQUIRE(matches.size() == 2);
  CHECK(matches[0].a_first == 4);
  CHECK(matches[0].b_first == 5);
  CHECK(matches[1].length() == 2);
  CHECK(LcsTable("", "abc", steps).length() == 0);
  CHECK(steps.taken() == 8 * 9 / LcsTable::kCellsPerStep);
  const std::string text(100, 'x');
  CHECK(LcsTable(text, text, steps).length() == 100);
  CHECK(steps.taken() == 100 * 100 / LcsTable::kCellsPerStep);
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
