// ByteBudget: how much one thread may have handed to another one that has not taken it yet. A
// mailbox has no bound of its own; what lies in it carries its claim, and the claim ends with it,
// on whatever thread. One thread claims.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include "config/base/check.hpp"

namespace kiwi {

class ByteBudget {
 public:
  using Claim = std::shared_ptr<const void>;

  explicit ByteBudget(size_t bytes_max)
      : bytes_max_(bytes_max), held_(std::make_shared<std::atomic<size_t>>(0)) {}

  // Null: too much is held. Whatever its size one always fits when nothing is.
  Claim claim(size_t bytes) {
    const size_t before = held_->load();
    if (before != 0 && (before >= bytes_max_ || bytes > bytes_max_ - before)) {
      return nullptr;
    }
    held_->fetch_add(bytes);
    return {held_.get(), [held = held_, bytes](const void*) {
              const size_t left = held->fetch_sub(bytes);
              CHECK_INVARIANT(left >= bytes);
            }};
  }
  size_t held() const { return held_->load(); }

 private:
  size_t bytes_max_;
  std::shared_ptr<std::atomic<size_t>> held_;
};

}  // namespace kiwi
