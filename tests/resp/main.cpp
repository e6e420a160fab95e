// router_tests, command_tests [--mutant=name] [doctest options]. A mutant (test builds only) is a
// known bug switched on: the run must fail.
#define DOCTEST_CONFIG_IMPLEMENT
#include <cstdio>
#include <string_view>

#include <doctest/doctest.h>

#include "resp/mutants.hpp"

namespace {

bool select_mutant([[maybe_unused]] std::string_view name) {
#ifdef KIWI_MUTANTS
  return kiwi::resp::select_mutant(name);
#else
  return false;
#endif
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    std::string_view argument(argv[i]);
    if (argument.starts_with("--mutant=") && !select_mutant(argument.substr(9))) {
      std::fprintf(stderr, "No such mutant, or not built with KIWI_MUTANTS.\n");
      return 2;
    }
  }
  doctest::Context context(argc, argv);
  return context.run();
}
