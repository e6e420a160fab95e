// The byte strings in which Redis keeps small collections: listpack (since 7.0), ziplist and zipmap
// (before), intset. Read with every bound checked and never adopted as bytes: a payload comes from
// whoever can send RESTORE. Written as Redis 7.0 does, so that it accepts them. Any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace kiwi::resp::dump {

// False: what was read does not fit, reading fails. Numbers arrive as their decimal text. The bytes
// are valid during the call.
using EntryVisit = std::function<bool(std::string_view entry)>;

// Each calls visit for every entry in order; false if the bytes are not such a list, whole and
// without anything behind it, or if visit said so.
bool read_listpack(std::string_view bytes, const EntryVisit& visit);
bool read_ziplist(std::string_view bytes, const EntryVisit& visit);
bool read_zipmap(std::string_view bytes, const EntryVisit& visit);  // names and values in turn
bool read_intset(std::string_view bytes, const EntryVisit& visit);  // ascending, no two alike

// Made by adding one entry after the other.
class ListpackWriter {
 public:
  ListpackWriter();
  // Text that is the canonical form of a 64-bit integer becomes that number, as in Redis.
  void add(std::string_view entry);
  size_t entries() const { return entries_; }
  size_t bytes() const { return bytes_.size() + 1; }  // as finish() would give
  std::string finish();                               // the writer is empty afterwards

 private:
  void add_integer(int64_t value);
  void add_text(std::string_view text);
  void end_entry(size_t begin);

  std::string bytes_;
  size_t entries_ = 0;
};

// Of ascending, distinct numbers.
std::string write_intset(const std::vector<int64_t>& values);

}  // namespace kiwi::resp::dump
