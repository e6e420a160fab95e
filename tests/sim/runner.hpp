// Runs worlds for kiwi-sim and for the test program, and says how to replay what failed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/coverage.hpp"

namespace kiwi::sim {

struct SeedResult {
  bool good = true;
  std::string check;   // which one found it
  std::string report;  // what, and the command that replays it
  std::string summary;
  std::string trace;
  uint64_t fingerprint = 0;
  uint64_t steps = 0;
  Coverage coverage;
};

SeedResult run_seed(uint64_t seed, bool keep_trace, const std::string& storage_mutant = {});

// A broken CHECK aborts the process; the seed is told before.
void tell_seed_on_abort();

std::vector<uint64_t> read_seeds(const std::string& file);  // one a line, # comments

// Every known bug, each in processes of its own, until a seed catches it: prints the table. 0 if
// all were caught. Needs a build with KIWI_MUTANTS.
int run_mutants(uint64_t first_seed, uint64_t seeds_max, const std::string& only);
int list_mutants();  // "where name severity", a line each

}  // namespace kiwi::sim
