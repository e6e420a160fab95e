// Strings against std::string, on all keyspaces, with undo and new starts; over other types too.
#include <map>
#include <string>
#include <vector>

#include "resp/types/lcs.hpp"
#include "resp/types/string_value.hpp"
#include "tests/types/world.hpp"

namespace kiwi::resp::types_test {
namespace {

template <class On>
class StringRun {
 public:
  explicit StringRun(uint64_t seed) : random_(seed) {}

  void run(int commands) {
    run_commands(
        w_, random_, model_, commands, [&] { one(any_name(random_)); }, [&] { audit(); });
  }

 private:
  std::string bytes() {
    return std::string(random_.below(40), static_cast<char>('a' + random_.below(26)));
  }

  void one(std::string_view name) {
    if (random_.chance(1, 6)) {
      return over_another_type(name);
    }
    String& string = w_.template open<String>(name);
    const std::string value = bytes();
    std::string& model = model_[name];
    switch (random_.below(3)) {
      case 0:
        string.replace(value);
        model = value;
        break;
      case 1:
        string.append(value);
        model += value;
        break;
      default: {
        const uint64_t offset = random_.below(60);
        string.overwrite(offset, value);
        model.resize(std::max<size_t>(model.size(), offset + value.size()), '\0');
        model.replace(offset, value.size(), value);
      }
    }
    REQUIRE(string.bytes() == model);
    string.save();
    REQUIRE(string.size() == model.size());
  }

  void over_another_type(std::string_view name) {
    Key key = w_.find(name);
    Set::replace(w_.database(), key, {"a", "b"});
    key = w_.find(name);
    String::assign(w_.database(), key, "assigned", 0);
    model_[name] = "assigned";
  }

  void audit() {
    w_.begin();
    for (std::string_view name : kNames) {
      const String& string = w_.template read<String>(name);
      REQUIRE(string.exists() == model_.contains(name));
      REQUIRE((!string.exists() || string.bytes() == model_[name]));
    }
    REQUIRE(w_.records(rocks::Family::kElement) == 0);
    REQUIRE(w_.records(rocks::Family::kMeta) == model_.size());
  }

  World<On> w_;
  Prng random_;
  std::map<std::string_view, std::string> model_;
};

TEST_SUITE_BEGIN("types/string");

TEST_CASE_TEMPLATE(
    "strings do what std::string does, undone commands nothing", On, InMemory, OnRocks, OnTable) {
  INFO(On::kName);
  StringRun<On>(31).run(1500);
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
  const LcsTable table("ohmytext", "mynewtext");
  CHECK(table.length() == 6);
  std::string common;
  std::vector<LcsMatch> matches;
  table.walk(common, matches);
  CHECK(common == "mytext");
  REQUIRE(matches.size() == 2);
  CHECK(matches[0].a_first == 4);
  CHECK(matches[0].b_first == 5);
  CHECK(matches[1].length() == 2);
  CHECK(LcsTable("", "abc").length() == 0);
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
