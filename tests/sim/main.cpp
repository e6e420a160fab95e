// kiwi-sim: runs seeds, or the mutants. scripts/sim builds and starts it.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/sim/runner.hpp"

namespace {

using kiwi::sim::SeedResult;

int usage(const char* word) {
  std::fprintf(
      stderr,
      "kiwi-sim: what is '%s'?\n"
      "  --seed N [--trace]        one seed; its trace is the same byte for byte each time\n"
      "  --seeds N [--from M]      seeds M (1) to M + N - 1\n"
      "  --forever [--from M]      until a seed fails\n"
      "  --mutants [NAME] [--seeds N]   every known bug, or one, on N (400) seeds from M on\n"
      "  --list-mutants            their names\n"
      "  --storage-mutant NAME     with any of the first three\n",
      word);
  return 2;
}

struct Arguments {
  uint64_t from = 1;
  uint64_t count = 300;
  bool count_given = false;
  bool trace = false;
  bool mutants = false;
  std::string mutant;
  std::string storage_mutant;
};

int run(const Arguments& arguments) {
  kiwi::sim::tell_seed_on_abort();
  const auto begin = std::chrono::steady_clock::now();
  uint64_t bad = 0;
  uint64_t steps = 0;
  uint64_t ran = 0;
  kiwi::sim::Coverage coverage;
  for (uint64_t seed = arguments.from; ran < arguments.count; ++seed, ++ran) {
    SeedResult result = kiwi::sim::run_seed(seed, arguments.trace, arguments.storage_mutant);
    steps += result.steps;
    coverage.add(result.coverage);
    if (arguments.trace) {
      std::fputs(result.trace.c_str(), stdout);
      std::printf("seed %llu, fingerprint %016llx: %s\n", static_cast<unsigned long long>(seed),
                  static_cast<unsigned long long>(result.fingerprint), result.summary.c_str());
    }
    if (!result.good) {
      ++bad;
      std::fprintf(stderr, "%s\n", result.report.c_str());
      if (arguments.count == UINT64_MAX) {
        return 1;
      }
    }
    if (arguments.count == UINT64_MAX && (ran + 1) % 1000 == 0) {
      std::printf("%llu seeds, last %llu, no violation\n", static_cast<unsigned long long>(ran + 1),
                  static_cast<unsigned long long>(seed));
      std::fflush(stdout);
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%llu seeds, %llu steps, %llu violations, %.0f s, %.0f steps/s\n",
              static_cast<unsigned long long>(ran), static_cast<unsigned long long>(steps),
              static_cast<unsigned long long>(bad), took.count(),
              static_cast<double>(steps) / took.count());
  std::printf("%s\n", coverage.text().c_str());
  return bad == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    auto is = [&](const char* name) { return std::strcmp(argv[i], name) == 0; };
    bool has_value = i + 1 < argc && argv[i + 1][0] != '-';
    if (is("--seed") && has_value) {
      arguments.from = std::strtoull(argv[++i], nullptr, 10);
      arguments.count = 1;
    } else if (is("--seeds") && has_value) {
      arguments.count = std::strtoull(argv[++i], nullptr, 10);
      arguments.count_given = true;
    } else if (is("--from") && has_value) {
      arguments.from = std::strtoull(argv[++i], nullptr, 10);
    } else if (is("--forever")) {
      arguments.count = UINT64_MAX;
    } else if (is("--storage-mutant") && has_value) {
      arguments.storage_mutant = argv[++i];
    } else if (is("--mutants")) {
      arguments.mutants = true;
      arguments.mutant = has_value ? argv[++i] : "";
    } else if (is("--list-mutants")) {
      return kiwi::sim::list_mutants();
    } else if (is("--trace")) {
      arguments.trace = true;
    } else {
      return usage(argv[i]);
    }
  }
  if (arguments.mutants) {
    return kiwi::sim::run_mutants(arguments.from, arguments.count_given ? arguments.count : 400,
                                  arguments.mutant);
  }
  return run(arguments);
}
