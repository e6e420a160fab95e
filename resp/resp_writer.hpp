// Writes replies as RESP2 or RESP3 bytes.
//
// A data command's reply has a bound (F45). A read that would pass it ends there, by ReplyTooLarge:
// it has no effects. A write must not be ended by what only its origin knows: its writer stops
// storing, and the connection has to end, for an error would say that nothing was done. With a
// ReplyStream there is no bound: all but the last piece has left in the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <string>
#include <string_view>

#include "resp/reply.hpp"
#include "resp/reply_stream.hpp"

namespace kiwi::resp {

struct ReplyTooLarge : std::exception {
  const char* what() const noexcept override { return "the reply is too large"; }
};

class RespWriter final : public ReplyWriter {
 public:
  enum class Beyond : uint8_t { kThrow, kLose };
  // out == nullptr: replies are thrown away (a command executed on a node that is not its origin).
  explicit RespWriter(std::string* out, int version = 2)
      : ReplyWriter(version, out == nullptr), out_(out) {}
  // `end`: what `out` may grow to, what stands in it already included.
  // With a stream: how long its pieces are, and `out` holds nothing else.
  RespWriter(
      std::string* out, int version, size_t end, Beyond beyond, ReplyStream* stream = nullptr)
      : ReplyWriter(version, out == nullptr),
        out_(out),
        beyond_(beyond),
        end_(end),
        stream_(stream) {}

  void simple(std::string_view text) override;
  void error(std::string_view text) override;
  void integer(int64_t value) override;
  void bulk(std::string_view bytes) override;
  void bulk_head(size_t bytes) override;
  void bulk_part(std::string_view bytes) override;
  void null() override;        // RESP2 $-1, RESP3 _
  void null_array() override;  // RESP2 *-1, RESP3 _
  void array(size_t elements) override;
  void map(size_t pairs) override;
  void set(size_t elements) override;
  void push(size_t elements) override;
  void boolean(bool value) override;
  void number(double value) override;
  void number_as(double value, std::string_view text) override;
  void big_number(std::string_view digits) override;
  void verbatim(std::string_view text) override;
  size_t where() override;
  void put_first(size_t begin, size_t head) override;
  // What was written from there on, if that is an error; else nothing.
  std::string_view error_at(size_t begin) const {
    const bool error = out_ != nullptr && begin < out_->size() && (*out_)[begin] == '-';
    return error ? std::string_view(*out_).substr(begin) : std::string_view();
  }

  void raw(std::string_view encoded);  // already RESP
  // Takes back what was written since where() was `where`.
  void take_back(size_t where);
  // From here on not more than `bytes`, or ReplyTooLarge; kAnyRoom: no bound any more.
  static constexpr size_t kAnyRoom = std::numeric_limits<size_t>::max();
  void set_room(size_t bytes);

 private:
  bool fits(size_t bytes) {
    return out_ != nullptr && (out_->size() + bytes <= end_ || overflow());
  }
  bool overflow();

  std::string* out_;
  Beyond beyond_ = Beyond::kThrow;
  size_t end_ = std::numeric_limits<size_t>::max();
  size_t parts_left_ = 0;  // bytes that bulk_part() is to bring
  ReplyStream* stream_ = nullptr;
};

// As Redis 7.0 prints a double: seventeen significant digits, correctly rounded and so the same
// everywhere; "inf", "-inf".
std::string double_text(double value);

}  // namespace kiwi::resp
