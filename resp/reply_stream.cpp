#include "resp/reply_stream.hpp"

#include <utility>

#include "config/base/check.hpp"

namespace kiwi::resp {

void ReplyStream::begin(Pass pass) {
  CHECK_INVARIANT(pass != pass_ && pass != Pass::kTry);
  CHECK_INVARIANT(pass != Pass::kSend || pass_ == Pass::kMeasure);
  pass_ = pass;
  gone_ = places_ = next_head_ = asked_ = 0;
}

void ReplyStream::let_go(std::string& here) {
  if (places_ != 0) {
    if (here.size() >= late_bytes_) {
      throw LateHeads();
    }
    return;
  }
  // What may be a head of several values stays together.
  const size_t since = gone_ + here.size() - asked_;
  const bool head = pass_ != Pass::kTry && asked_ >= gone_ && since <= kHeadBytes;
  const size_t going = here.size() - (head ? since : 0);
  if (going == 0) {
    return;
  }
  const size_t begin = gone_;
  gone_ += going;
  std::string piece = here.substr(going);
  piece.swap(here);
  piece.resize(going);
  if (pass_ == Pass::kMeasure || gone_ <= sent_) {
    return;
  }
  if (begin < sent_) {
    piece.erase(0, sent_ - begin);
  }
  sent_ = gone_;
  sink_.piece(std::move(piece));
}

// Where a head is to stand the writer is asked for the place. It is also asked for the end of what
// the head stands before: a head that belongs there is the next one's, and nothing comes between.
size_t ReplyStream::where(std::string& here) {
  places_ += pass_ == Pass::kTry ? 1 : 0;
  if (pass_ == Pass::kSend && next_head_ < heads_.size() &&
      heads_[next_head_].at == gone_ + here.size()) {
    here.append(heads_[next_head_++].bytes);
  }
  asked_ = gone_ + here.size();
  return asked_;
}

void ReplyStream::put_first(std::string& here, size_t begin, size_t head) {
  // Only the head was written since.
  CHECK_INVARIANT(begin <= head && gone_ <= head && head <= gone_ + here.size());
  std::string first = here.substr(head - gone_);
  here.resize(head - gone_);
  switch (pass_) {
    case Pass::kTry:
      CHECK_INVARIANT(gone_ <= begin && places_ >= 2);
      here.insert(begin - gone_, first);
      places_ -= 2;
      break;
    case Pass::kMeasure: {
      auto at = heads_.end();
      for (; at != heads_.begin() && (at - 1)->at >= begin; --at) {  // those stand inside
        (at - 1)->at += first.size();
      }
      gone_ += first.size();
      heads_.insert(at, {begin, std::move(first)});
      break;
    }
    case Pass::kSend:
      break;  // it stands there
  }
}

}  // namespace kiwi::resp
