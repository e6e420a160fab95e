// Result<T>: a value or an Error, with the member names of std::expected (C++23).
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "config/base/check.hpp"

namespace kiwi {

enum class Errc {
  kIo,        // the disk or the file system failed
  kCorrupt,   // bytes on disk are not what was written
  kInvalid,   // the caller's input is wrong
  kConflict,  // it belongs to another cluster, node or process
  kNotFound,
};

struct Error {
  Errc code;
  std::string text;  // one sentence for the operator: what, where, and what to do
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & { return CHECK_INVARIANT(has_value()), std::get<0>(state_); }
  const T& value() const& { return CHECK_INVARIANT(has_value()), std::get<0>(state_); }
  T&& value() && { return CHECK_INVARIANT(has_value()), std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const { return CHECK_INVARIANT(!has_value()), std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error)
      : error_(std::move(error)), ok_(false) {}  // NOLINT(google-explicit-constructor)

  bool has_value() const { return ok_; }
  explicit operator bool() const { return ok_; }
  const Error& error() const { return CHECK_INVARIANT(!ok_), error_; }

 private:
  Error error_{};
  bool ok_ = true;
};

}  // namespace kiwi
