// Keeps a reply as a value: what a script gets from a command that it called. The value is what a
// client of the same protocol would read: with version 2 maps are arrays, doubles are strings, ...
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "resp/reply.hpp"

namespace kiwi::resp {

struct ReplyValue {
  enum class Kind : uint8_t {
    kStatus,     // text
    kError,      // text, with its first word
    kInteger,    // integer
    kBulk,       // text
    kNull,       //
    kNullArray,  // RESP2 only
    kArray,      // items
    kMap,        // items: key, value, key, value, ...
    kSet,        // items
    kPush,       // items
    kBoolean,    // integer: 0 or 1
    kDouble,     // real; text, if it is not written in the usual form
    kBigNumber,  // text: digits
    kVerbatim,   // text
  };
  Kind kind = Kind::kNull;
  int64_t integer = 0;
  double real = 0;
  std::string text = {};
  std::vector<ReplyValue> items = {};

  bool operator==(const ReplyValue&) const = default;
};

// Writes the value as a command would have.
void write_value(const ReplyValue& value, ReplyWriter& reply);

class ValueWriter final : public ReplyWriter {
 public:
  // bytes_max: what the value may hold, each part counted as at least kPartBytes; beyond it any
  // call throws ReplyTooLarge.
  explicit ValueWriter(int version, size_t bytes_max = std::numeric_limits<size_t>::max())
      : ReplyWriter(version, false), bytes_max_(bytes_max) {}
  static constexpr size_t kPartBytes = 176;  // what one takes in memory, while it is built

  void simple(std::string_view text) override;
  void error(std::string_view text) override;
  void integer(int64_t value) override;
  void bulk(std::string_view bytes) override;
  void bulk_head(size_t bytes) override;
  void bulk_part(std::string_view bytes) override;
  void null() override;
  void null_array() override;
  void array(size_t elements) override;
  void map(size_t pairs) override;
  void set(size_t elements) override;
  void push(size_t elements) override;
  void boolean(bool value) override;
  void number(double value) override;
  void number_as(double value, std::string_view text) override;
  void big_number(std::string_view digits) override;
  void verbatim(std::string_view text) override;
  size_t where() override { return parts_.size(); }
  void put_first(size_t begin, size_t head) override;

  // The one value that was written; the writer is empty again. What a command that threw left half
  // written is forgotten with clear().
  ReplyValue take();
  void clear();
  bool is_error() const {
    return !parts_.empty() && parts_.front().value.kind == ReplyValue::Kind::kError;
  }

 private:
  // In the order in which it was written: an aggregate stands before its items.
  struct Part {
    ReplyValue value;  // without items
    size_t items = 0;
  };
  ReplyValue& add(ReplyValue::Kind kind, std::string_view text = {});
  void add_aggregate(ReplyValue::Kind kind, size_t items);
  ReplyValue build(size_t& next);

  std::vector<Part> parts_;
  size_t bytes_ = 0;
  size_t bytes_max_;
};

}  // namespace kiwi::resp
