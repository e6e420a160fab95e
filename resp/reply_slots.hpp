// The unanswered commands of one connection, in order: a ring of slots. A reply that comes before
// its turn waits in its slot; replies leave in slot order. Private to resp::Session.
//
// It also guesses how many bytes the unanswered commands will bring: a few bytes ask for megabytes,
// and what was forwarded cannot be taken back (F28). The guess, one for reads and one for writes
// (GETDEL, EXEC), is the largest recent reply: a larger one raises it at once, smaller ones lower
// it by an eighth each. A new connection is taken for one that reads big values until its first
// answers show what it is.
//
// A long reply comes in pieces. They leave at once when it is its turn, and wait in its slot
// before.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/check.hpp"

namespace kiwi::resp {

// What is counted when the answer is here (measures.hpp).
struct AskedCommand {
  uint16_t row = UINT16_MAX;  // of the command table; this: of none
  int64_t arrival_ns = 0;     // of the socket read that brought it
};

class ReplySlots {
 public:
  bool empty() const { return first_ == next_; }
  size_t size() const { return next_ - first_; }
  size_t request_bytes() const { return request_bytes_; }  // of unanswered commands
  size_t held_bytes() const { return held_bytes_; }        // replies that wait for their turn
  size_t expected_bytes() const { return reads_.expected() + writes_.expected(); }
  uint64_t first_number() const { return first_; }  // below it all are answered
  uint64_t next_number() const { return next_; }
  size_t memory_bytes() const {
    return request_bytes_ + held_bytes_ + ring_.capacity() * sizeof(Slot);
  }
  void give_back() {
    if (empty()) {
      std::vector<Slot>().swap(ring_);
    }
  }

  // A command was forwarded. silent: its reply is thrown away (CLIENT REPLY).
  uint64_t open(size_t bytes, bool silent, bool reads, const AskedCommand& asked = {}) {
    Slot& slot = push();
    slot.row = asked.row;
    slot.arrival_ns = asked.arrival_ns;
    slot.request_bytes = bytes;
    slot.silent = silent;
    slot.reads = reads;
    ++(reads ? reads_ : writes_).unanswered;
    request_bytes_ += bytes;
    return next_ - 1;
  }

  // A reply that is born here, behind unanswered commands (!empty()).
  void reply(std::string_view bytes) {
    CHECK_INVARIANT(!empty());
    Slot* last = &at(next_ - 1);
    if (!last->done || last->silent || last->pushes) {
      last = &push();
      last->done = true;
      done_end_ = next_;
    }
    last->bytes.append(bytes);
    held_bytes_ += bytes.size();
  }

  // A push belongs to no slot. It leaves behind what was answered before it: behind the last slot
  // that is answered and not yet sent, or the one whose pieces leave now, else at once.
  void push(char first, std::string_view rest, std::string& output) {
    std::string* out = &output;
    const bool behind_done = done_end_ > first_;
    if (behind_done || is_inside()) {
      Slot& last = at(behind_done ? done_end_ - 1 : first_);
      CHECK_INVARIANT(last.done == behind_done);
      if (!last.pushes) {
        last.pushes = std::make_unique<std::string>();
      }
      out = last.pushes.get();
      held_bytes_ += rest.size() + 1;
    }
    out->push_back(first);
    out->append(rest);
  }

  AskedCommand asked(uint64_t number) const {  // is_open(number)
    const Slot& slot = ring_[number & (ring_.size() - 1)];
    return {slot.row, slot.arrival_ns};
  }

  bool is_open(uint64_t number) const {
    return number >= first_ && number < next_ && !ring_[number & (ring_.size() - 1)].done;
  }

  // Before `number`, which is open, everything is answered, or was let pass: commands whose effect
  // others see at once run then, and not before.
  bool may_run(uint64_t number) {
    CHECK_INVARIANT(is_open(number));
    passed_ = std::max(passed_, first_);
    while (passed_ < number && (at(passed_).done || at(passed_).passed)) {
      ++passed_;
    }
    return passed_ == number;
  }
  // is_open(number). It ran, and its answer comes later: others like it need not wait for it.
  void let_pass(uint64_t number) {
    CHECK_INVARIANT(is_open(number));
    at(number).passed = true;
  }

  // is_open(number). A piece of its reply; answer() brings the last one. False: nobody wants it.
  bool piece(uint64_t number, std::string_view bytes, std::string& output) {
    CHECK_INVARIANT(is_open(number));
    Slot& slot = at(number);
    if (!slot.begun) {
      slot.begun = true;
      ++begun_;
    }
    if (slot.silent) {
      return false;
    }
    if (number == first_) {
      output.append(bytes);
    } else {
      slot.bytes.append(bytes);
      held_bytes_ += bytes.size();
    }
    return true;
  }
  // is_open(number): pieces of it came.
  bool has_begun(uint64_t number) const { return ring_[number & (ring_.size() - 1)].begun; }

  // is_open(number). Answers it and moves everything whose turn has come to `output`.
  void answer(uint64_t number, std::string_view bytes, std::string& output) {
    CHECK_INVARIANT(is_open(number));
    Slot& slot = at(number);
    slot.done = true;
    done_end_ = std::max(done_end_, number + 1);
    (slot.reads ? reads_ : writes_).answered(slot.begun ? kInPieces : bytes.size());
    const bool was_inside = is_inside();
    if (slot.begun) {
      slot.begun = false;
      --begun_;
    }
    if (number != first_) {
      if (!slot.silent) {
        slot.bytes.append(bytes);
        held_bytes_ += bytes.size();
      }
      return;
    }
    if (!slot.silent) {
      output.append(bytes);
    }
    if (was_inside && slot.pushes) {
      output.append(*slot.pushes);
    }
    pop();
    while (!empty() && at(first_).done) {
      const Slot& next = at(first_);
      output.append(next.bytes);
      if (next.pushes) {
        output.append(*next.pushes);
      }
      pop();
    }
    if (begun_ != 0 && !empty()) {
      Slot& next = at(first_);
      output.append(next.bytes);
      held_bytes_ -= next.bytes.size();
      std::string().swap(next.bytes);
    }
  }

 private:
  struct Slot {
    std::string bytes;
    // That leave behind it, also when it is silent; null: none, as usual. A string here would make
    // the ring, which every reply goes through, half as long again.
    std::unique_ptr<std::string> pushes;
    size_t request_bytes = 0;
    int64_t arrival_ns = 0;
    uint16_t row = UINT16_MAX;
    bool done = false;
    bool passed = false;
    bool silent = false;
    bool reads = false;
    bool begun = false;
  };
  static constexpr size_t kInPieces = size_t{1} << 20;  // what of such a reply is here at a time
  static constexpr size_t kKeepSlots = 256;  // a ring that grew is given back when it is empty
  static constexpr size_t kKeepBytes = 256;  // and so is a big reply's memory

  // What leaves now stands inside a reply.
  bool is_inside() const {
    return begun_ != 0 && !empty() && has_begun(first_) &&
           !ring_[first_ & (ring_.size() - 1)].silent;
  }

  // How big the replies of one kind of command are.
  struct Guess {
    size_t usual_bytes = 0;
    size_t unanswered = 0;

    size_t expected() const { return unanswered * usual_bytes; }
    void answered(size_t bytes) {
      CHECK_INVARIANT(unanswered != 0);
      --unanswered;
      usual_bytes = std::max(bytes, usual_bytes - usual_bytes / 8);
    }
  };

  Slot& at(uint64_t number) { return ring_[number & (ring_.size() - 1)]; }

  Slot& push() {
    if (size() == ring_.size()) {
      grow();
    }
    return at(next_++);
  }

  void pop() {
    CHECK_INVARIANT(!empty() && at(first_).done);  // replies leave in order
    Slot& slot = at(first_++);
    const size_t held = slot.bytes.size() + (slot.pushes ? slot.pushes->size() : 0);
    CHECK_INVARIANT(request_bytes_ >= slot.request_bytes && held_bytes_ >= held);
    request_bytes_ -= slot.request_bytes;
    held_bytes_ -= held;
    if (slot.bytes.capacity() > kKeepBytes) {
      std::string().swap(slot.bytes);
    }
    slot.bytes.clear();
    slot.pushes.reset();
    slot.request_bytes = 0;
    slot.done = false;
    slot.passed = false;
    slot.silent = false;
    slot.reads = false;
    CHECK_INVARIANT(!empty() || (request_bytes_ == 0 && held_bytes_ == 0));
    if (empty() && ring_.size() > kKeepSlots) {
      std::vector<Slot>(kKeepSlots).swap(ring_);
    }
  }

  void grow() {
    static_assert(std::has_single_bit(kKeepSlots));
    std::vector<Slot> bigger(ring_.empty() ? 16 : 2 * ring_.size());
    CHECK_INVARIANT(std::has_single_bit(bigger.size()));
    for (uint64_t number = first_; number != next_; ++number) {
      bigger[number & (bigger.size() - 1)] = std::move(at(number));
    }
    ring_.swap(bigger);
  }

  std::vector<Slot> ring_;  // size is zero or a power of two
  uint64_t first_ = 0;
  uint64_t next_ = 0;
  uint64_t passed_ = 0;    // below it all are done or passed
  uint64_t done_end_ = 0;  // behind the last one that is done
  size_t request_bytes_ = 0;
  size_t held_bytes_ = 0;
  size_t begun_ = 0;  // open ones that has_begun()
  Guess reads_{.usual_bytes = size_t{1} << 20};
  Guess writes_{.usual_bytes = size_t{1} << 10};
};

}  // namespace kiwi::resp
