// rocks_tests: what is on disk. Called as `rocks_tests child <role> ...` it is the victim of a
// crash test instead (support.hpp).
#define DOCTEST_CONFIG_IMPLEMENT
#include <cstring>

#include <doctest/doctest.h>

#include "tests/rocks/support.hpp"

int main(int argc, char** argv) {
  if (argc >= 3 && std::strcmp(argv[1], "child") == 0) {
    return kiwi::rocks::test::run_child(argv[2], std::vector<std::string>(argv + 3, argv + argc));
  }
  doctest::Context context(argc, argv);
  return context.run();
}
