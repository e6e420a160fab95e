// Times what one executor does for clients of this node, for Measures. What it executes for nobody
// here (other nodes' batches, replay) costs one branch. Rests do not count.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "resp/measures.hpp"

namespace kiwi::resp {

class Stopwatch {
 public:
  explicit Stopwatch(Measures* measures) : measures_(measures) {}  // nullptr: nothing is measured
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

  // Operations follow one another. The end of one is the beginning of the next, so that each costs
  // one reading of the clock.
  void begin() {
    lap_ns_ = measures_ != nullptr ? busy_ns() : 0;
    whose_ = 0;
  }
  // The operation that comes; 0: nobody's here.
  void whose(ConnectionId client) { whose_ = measures_ != nullptr ? client : 0; }
  // It is over. nullptr: it is not done, and will be executed again.
  void lap(const CommandSpec* row, Args args);

  // ---- inside an operation
  bool counts() const { return whose_ != 0; }
  int64_t now_ns() const { return counts() ? busy_ns() : 0; }
  // A command of a block or a script, since began_ns of now_ns(). error: its reply, if that is one.
  void command_of_block(const CommandSpec& row,
                        Args args,
                        int64_t began_ns,
                        std::string_view error);
  void command_of_script(const CommandSpec& row, Args args, int64_t began_ns, bool failed);

  void rest() { rest_began_ns_ = measures_ != nullptr ? measures_->now_ns() : 0; }
  void go_on() { rested_ns_ += measures_ != nullptr ? measures_->now_ns() - rest_began_ns_ : 0; }

 private:
  // Told when the operation is done: it may be executed twice (put aside).
  struct Inside {
    const CommandSpec* row = nullptr;
    uint64_t calls = 0;
    uint64_t failed = 0;
  };

  int64_t busy_ns() const { return measures_->now_ns() - rested_ns_; }
  void count_inside(const CommandSpec& row, bool failed);

  Measures* measures_;
  ConnectionId whose_ = 0;
  int64_t lap_ns_ = 0;
  int64_t rested_ns_ = 0;
  int64_t rest_began_ns_ = 0;
  std::vector<Inside> inside_;  // one for each row
  std::vector<std::string> errors_inside_;
};

}  // namespace kiwi::resp
