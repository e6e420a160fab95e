#include "tests/sim/runner.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

volatile uint64_t running_seed = 0;

std::string replay_of(uint64_t seed) {
  return "replay: scripts/sim --seed " + std::to_string(seed);
}

void on_abort(int) {
  std::fprintf(stderr, "seed %llu broke a CHECK\n  %s\n",
               static_cast<unsigned long long>(running_seed), replay_of(running_seed).c_str());
  std::_Exit(1);
}

}  // namespace

void tell_seed_on_abort() { std::signal(SIGABRT, on_abort); }

SeedResult run_seed(uint64_t seed, bool keep_trace, const std::string& storage_mutant) {
  running_seed = seed;
  WorldOptions options;
  options.seed = seed;
  options.mutant = storage_mutant;
  options.keep_trace = keep_trace;
  World world(options);
  SeedResult result;
  try {
    world.run();
  } catch (const Violation& violation) {
    result.good = false;
    result.check = violation.check;
    result.report = "seed " + std::to_string(seed) + " breaks '" + violation.check +
                    "': " + violation.what + "\n  " + world.summary() + "\n  " + replay_of(seed);
  }
  result.summary = world.summary();
  result.trace = world.trace_text();
  result.fingerprint = world.fingerprint();
  result.coverage = world.coverage;
  result.steps = world.timeline.steps();
  return result;
}

std::vector<uint64_t> read_seeds(const std::string& file) {
  std::vector<uint64_t> seeds;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line[0] != '#') {
      seeds.push_back(std::strtoull(line.c_str(), nullptr, 10));
    }
  }
  return seeds;
}

}  // namespace kiwi::sim
