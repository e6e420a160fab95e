#define DOCTEST_CONFIG_IMPLEMENT
#include <string_view>

#include <doctest/doctest.h>

namespace kiwi::raft::testing {
extern bool rewrite_traces;
}  // namespace kiwi::raft::testing

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--rewrite") {
      kiwi::raft::testing::rewrite_traces = true;
    }
  }
  doctest::Context context(argc, argv);
  return context.run();
}
