#include "resp/stopwatch.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"

namespace kiwi::resp {

void Stopwatch::lap(const CommandSpec* row, Args args) {
  if (measures_ == nullptr) {
    return;
  }
  const int64_t now = busy_ns();
  const int64_t ns = now - std::exchange(lap_ns_, now);
  if (whose_ != 0 && row != nullptr) {
    measures_->executed(*row, ns, whose_, args);
    for (const Inside& inside : inside_) {
      measures_->called_inside(*inside.row, inside.calls, inside.failed);
    }
    for (const std::string& error : errors_inside_) {
      measures_->count_error(error);
    }
  }
  whose_ = 0;
  inside_.clear();
  errors_inside_.clear();
}

void Stopwatch::count_inside(const CommandSpec& row, bool failed) {
  auto found = std::ranges::find(inside_, &row, &Inside::row);
  if (found == inside_.end()) {
    found = inside_.insert(found, Inside{&row, 0, 0});
  }
  ++found->calls;
  found->failed += failed ? 1 : 0;
  CHECK_INVARIANT(found->failed <= found->calls);
}

void Stopwatch::command_of_block(const CommandSpec& row,
                                 Args args,
                                 int64_t began_ns,
                                 std::string_view error) {
  constexpr size_t kWordBytes = 64;
  if (!counts()) {
    return;
  }
  measures_->executed(row, busy_ns() - began_ns, whose_, args);
  count_inside(row, !error.empty());
  if (!error.empty()) {
    CHECK_INVARIANT(error.starts_with('-'));
    // With what ends its first word.
    errors_inside_.emplace_back(error.substr(0, std::min(kWordBytes, error.find('\r')))) += ' ';
  }
}

// As in Redis 7.0, SLOWLOG does not say whose script it was.
void Stopwatch::command_of_script(const CommandSpec& row,
                                  Args args,
                                  int64_t began_ns,
                                  bool failed) {
  if (counts()) {
    measures_->executed(row, busy_ns() - began_ns, 0, args);
    count_inside(row, failed);
  }
}

}  // namespace kiwi::resp
