// actors_plain_tests; called as `actors_plain_tests child <role> <directory>` it is the victim of a
// crash test instead.
#define DOCTEST_CONFIG_IMPLEMENT
#include <cstring>

#include <doctest/doctest.h>

#include "tests/actors/storage_child.hpp"

int main(int argc, char** argv) {
  if (argc == 4 && std::strcmp(argv[1], "child") == 0) {
    return kiwi::actors::storage_child(argv[2], argv[3]);
  }
  doctest::Context context(argc, argv);
  return context.run();
}
