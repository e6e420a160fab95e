// A value as Redis 7.0 writes it, so that its RESTORE takes it: the type byte that
// object_reader.hpp names, then the body. Strings are written as they are or as the number they
// are, never compressed. Collections are told their size first and then given one element after the
// other. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "resp/types/dump/packed_lists.hpp"

namespace kiwi::resp::dump {

void put_length(std::string& out, uint64_t length);
void put_string(std::string& out, std::string_view bytes);

// Type 0.
void write_string(std::string& out, std::string_view value);

// How Redis would keep it, which decides the type byte.
enum class Form : uint8_t { kPacked, kTable };

class ListWriter {
 public:
  explicit ListWriter(std::string& out) : out_(out) {}
  void add(std::string_view element);
  void finish();

 private:
  void end_node();

  std::string& out_;
  ListpackWriter node_;
  std::string nodes_;
  uint64_t count_ = 0;
};

// Packed: all members are numbers, given in ascending order.
void write_intset_object(std::string& out, const std::vector<int64_t>& members);

class SetWriter {
 public:
  SetWriter(std::string& out, uint64_t size);
  void add(std::string_view member);

 private:
  std::string& out_;
};

class SortedSetWriter {
 public:
  SortedSetWriter(std::string& out, Form form, uint64_t size);
  // Packed: in ascending order of (score, member). score_text: as the formatter of replies writes
  // it.
  void add(std::string_view member, double score, std::string_view score_text);
  void finish();

 private:
  std::string& out_;
  Form form_;
  ListpackWriter packed_;
};

class HashWriter {
 public:
  HashWriter(std::string& out, Form form, uint64_t size);
  void add(std::string_view field, std::string_view value);
  void finish();

 private:
  std::string& out_;
  Form form_;
  ListpackWriter packed_;
};

// Of a hash some of whose fields have deadlines: as Redis 7.4 writes it.
class HashDeadlinesWriter {
 public:
  HashDeadlinesWriter(std::string& out, uint64_t size, int64_t earliest_ms);
  void add(std::string_view field, std::string_view value, int64_t deadline_ms);  // 0: none

 private:
  std::string& out_;
  const int64_t earliest_ms_;
};

}  // namespace kiwi::resp::dump
