// snapshot_tests: snapshots between two states, with histories that the executor made.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
