// What all handles promise: one per key, saved or stopped, one record per save.
#include "resp/types/handles.hpp"

#include <csignal>
#include <cstdio>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/types/world.hpp"

namespace kiwi::resp::types_test {
namespace {

// In a child process. 0: it ended by itself; else the signal that ended it.
template <class Body>
int signal_of(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGABRT, SIG_DFL);  // not doctest's handler
    const bool quiet = std::freopen("/dev/null", "w", stderr) != nullptr;
    body();
    ::_exit(quiet ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST_SUITE_BEGIN("types/handles");

TEST_CASE(
    "a handle that was changed and not saved stops the process; a failed command's does not") {
  World<InMemory> w;
  auto add = [&](bool saves) {
    w.begin();
    w.database().mark();
    Set& set = w.open<Set>("k");
    set.add("m");
    if (saves) {
      set.save();
    }
  };
  CHECK(signal_of([&] {
          add(false);
          w.handles().close();
        }) == SIGABRT);
  CHECK(signal_of([&] {
          add(true);
          w.handles().close();
        }) == 0);
  add(false);
  w.database().undo();
  w.begin();  // forgets it
  w.handles().close();
  CHECK(!w.find("k").live);
  CHECK(w.records(rocks::Family::kElement) == 0);
}

TEST_CASE("one key is one handle for whoever changes it, and readers get their own") {
  World<InMemory> w;
  w.command(false, [&] {
    List& list = w.open<List>("k");
    list.push(ListEnd::kTail, "a");
    list.save();
    CHECK(&w.open<List>("k") == &list);
    CHECK(&w.open<List>("other") != &list);
    CHECK(&w.read<List>("k") != &list);
    CHECK(w.read<List>("k").size() == 1);
  });
}

TEST_CASE("a name that is read many times is one handle, until its key is stored [F61]") {
  World<InMemory> w;
  w.command(false, [&] {
    for (const char* name : {"k", "other"}) {
      Set& set = w.open<Set>(name);
      set.add("a");
      set.save();
    }
  });
  std::vector<std::string> names;  // more than stand in the first slots
  for (int i = 0; i < 30; ++i) {
    names.push_back("missing" + std::to_string(i));
  }
  for (const size_t others : {size_t{0}, names.size()}) {
    CAPTURE(others);
    w.command(false, [&] {
      for (size_t i = 0; i < others; ++i) {
        w.read<Set>(names[i]);
      }
      const Set& first = w.read<Set>("k");
      CHECK(&w.read<Set>("other") != &first);
      for (int i = 0; i < 1000; ++i) {
        REQUIRE(&w.read<Set>(std::string_view("k")) == &first);
      }
      CHECK(&w.read<Set>(names[0]) == &w.read<Set>(names[0]));
      const uint64_t before = first.size();
      Set& changed = w.open<Set>("k");
      CHECK(&changed != &first);
      changed.add("b" + std::to_string(others));
      changed.save();
      CHECK(w.read<Set>("k").size() == before + 1);
      CHECK(&w.read<Set>("k") == &w.read<Set>("k"));
      CHECK(&w.open<Set>("k") == &changed);
    });
  }
}

TEST_CASE("what the handles of many keys hold is work, that of a few is not [F61]") {
  World<InMemory> w;
  std::vector<std::string> names;
  for (int i = 0; i < 100; ++i) {
    names.push_back("k" + std::to_string(i));
    w.command(false, [&] {
      Set& set = w.open<Set>(names.back());
      set.add(std::string(1000, 'm'));
      set.save();
    });
  }
  auto spent_by = [&](size_t keys) {
    w.begin();
    w.database().effects().exchange_spent(0);
    for (size_t i = 0; i < keys; ++i) {
      w.read<Set>(names[i]);
    }
    return w.database().effects().exchange_spent(0);
  };
  CHECK(spent_by(16) == 0);
  CHECK(spent_by(100) >= 84 * 1000);
}

// More handles than are kept for the next command.
TEST_CASE("a command may have any number of keys open, and the next one begins with none") {
  World<InMemory> w;
  std::vector<std::string> names;
  for (int i = 0; i < 100; ++i) {
    names.push_back("k" + std::to_string(i));
  }
  for (int round = 0; round < 2; ++round) {
    w.command(false, [&] {
      std::vector<Set*> sets;
      for (const std::string& name : names) {
        sets.push_back(&w.open<Set>(name));
        sets.back()->add("m" + std::to_string(round));
      }
      for (size_t i = 0; i < sets.size(); ++i) {
        CHECK(sets[i]->key().name == names[i]);
        sets[i]->save();
      }
    });
    w.begin();
    CHECK(w.handles().find<Set>(w.database().physical(0), "k0") == nullptr);
    CHECK(w.read<Set>("k99").size() == static_cast<uint64_t>(round) + 1);
  }
}

TEST_CASE("a collection that comes and goes in one command leaves nothing") {
  World<InMemory> w;
  for (int existing = 0; existing < 2; ++existing) {
    w.command(false, [&] {
      Set& set = w.open<Set>("k");
      set.add("a");
      set.remove("a");
      set.remove("old");
      set.save();
      CHECK(!set.exists());
      CHECK(set.empty());
    });
    CHECK(!w.find("k").present);
    CHECK(w.records(rocks::Family::kElement) == 0);
    CHECK(w.database().counts(w.database().physical(0)).keys == 0);
    w.command(false, [&] {
      Set& set = w.open<Set>("k");
      set.add("old");
      set.save();
    });
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
