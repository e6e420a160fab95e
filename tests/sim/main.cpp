// kiwi-sim: runs seeds. See scripts/sim.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/sim/world.hpp"

namespace {

volatile uint64_t running_seed = 0;

// A broken CHECK aborts; the seed must still be told.
void on_abort(int) {
  std::fprintf(stderr, "seed %llu failed; replay: scripts/sim --seed %llu\n",
               static_cast<unsigned long long>(running_seed),
               static_cast<unsigned long long>(running_seed));
  std::_Exit(1);
}

bool run_seed(uint64_t seed, const std::string& mutant, bool trace) {
  running_seed = seed;
  kiwi::sim::WorldOptions options;
  options.seed = seed;
  options.mutant = mutant;
  options.keep_trace = trace;
  kiwi::sim::World world(options);
  bool good = true;
  try {
    world.run();
  } catch (const kiwi::sim::Violation& violation) {
    good = false;
    std::fprintf(stderr, "seed %llu breaks '%s': %s\n  %s\n  replay: scripts/sim --seed %llu\n",
                 static_cast<unsigned long long>(seed), violation.check.c_str(),
                 violation.what.c_str(), world.summary().c_str(),
                 static_cast<unsigned long long>(seed));
  }
  if (trace) {
    std::fputs(world.trace_text().c_str(), stdout);
  }
  if (trace || std::getenv("KIWI_SIM_VERBOSE") != nullptr) {
    std::printf("seed %llu fingerprint %016llx: %s\n", static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(world.fingerprint()), world.summary().c_str());
  }
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGABRT, on_abort);
  uint64_t from = 1;
  uint64_t count = 300;
  bool trace = false;
  std::string mutant;
  for (int i = 1; i < argc; ++i) {
    auto is = [&](const char* name) { return std::strcmp(argv[i], name) == 0; };
    bool has_value = i + 1 < argc;
    if (is("--seed") && has_value) {
      from = std::strtoull(argv[++i], nullptr, 10);
      count = 1;
    } else if (is("--seeds") && has_value) {
      count = std::strtoull(argv[++i], nullptr, 10);
    } else if (is("--from") && has_value) {
      from = std::strtoull(argv[++i], nullptr, 10);
    } else if (is("--mutant") && has_value) {
      mutant = argv[++i];
    } else if (is("--trace")) {
      trace = true;
    } else {
      std::fprintf(stderr, "kiwi-sim: what is %s?\n", argv[i]);
      return 2;
    }
  }
  uint64_t bad = 0;
  for (uint64_t seed = from; seed < from + count; ++seed) {
    bad += run_seed(seed, mutant, trace) ? 0 : 1;
  }
  std::printf("%llu seeds, %llu violations\n", static_cast<unsigned long long>(count),
              static_cast<unsigned long long>(bad));
  return bad == 0 ? 0 : 1;
}
