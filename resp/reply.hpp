// Where a command writes its reply: one value, in the words of RESP3. RespWriter (resp_writer.hpp)
// makes bytes of RESP2 or RESP3 of it for a client, ValueWriter (value_writer.hpp) a value for a
// script. The aggregate calls (array, map, set, push) take the number of elements that the caller
// then writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "resp/texts.hpp"

namespace kiwi::resp {

class ReplyWriter {
 public:
  ReplyWriter(const ReplyWriter&) = delete;
  ReplyWriter& operator=(const ReplyWriter&) = delete;

  // The protocol that the reader chose, 2 or 3: some commands answer in another shape.
  int version() const {
    shaped_ = true;
    return version_;
  }
  void set_version(int version) { version_ = version; }  // HELLO answers in the new one
  // Nobody will read it: what only makes a reply may be left out.
  bool discards() const { return discards_; }
  // In the other protocol it has other elements, or others may read it otherwise: a map was
  // written, or somebody asked for version().
  bool shaped() const { return shaped_; }
  bool lost() const { return lost_; }  // there was more than fits: the same from here on

  void ok() { simple("OK"); }
  virtual void simple(std::string_view text) = 0;
  virtual void error(std::string_view text) = 0;  // with its first word, as in texts.hpp
  virtual void integer(int64_t value) = 0;
  virtual void bulk(std::string_view bytes) = 0;
  // The same in parts that have so many bytes together, at least one.
  virtual void bulk_head(size_t bytes) = 0;
  virtual void bulk_part(std::string_view bytes) = 0;
  virtual void null() = 0;
  virtual void null_array() = 0;  // null, but for RESP2
  virtual void array(size_t elements) = 0;
  virtual void map(size_t pairs) = 0;                    // RESP2: an array of twice as many
  virtual void set(size_t elements) = 0;                 // RESP2: an array
  virtual void push(size_t elements) = 0;                // RESP2: an array
  virtual void boolean(bool value) = 0;                  // RESP2: 1 or 0
  virtual void number(double value) = 0;                 // RESP2: a bulk string
  virtual void big_number(std::string_view digits) = 0;  // RESP2: a bulk string
  virtual void verbatim(std::string_view text) = 0;      // plain text; RESP2: a bulk string

  // What comes first but is known last, like the length of an array:
  //   begin = where(); elements; head = where(); array(n); put_first(begin, head);
  virtual size_t where() = 0;
  virtual void put_first(size_t begin, size_t head) = 0;

  // A number in another form than the usual one, which is `text`.
  virtual void number_as(double value, std::string_view text) = 0;

 protected:
  ReplyWriter(int version, bool discards) : version_(version), discards_(discards) {}
  ~ReplyWriter() = default;

  int version_;
  bool discards_;
  bool lost_ = false;
  mutable bool shaped_ = false;
};

}  // namespace kiwi::resp
