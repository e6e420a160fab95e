// Cuts a client's byte stream into commands: RESP arrays of bulk strings and inline lines, with the
// limits and error texts of Redis 7.0. Used by resp::Session, on its thread; no socket, no clock.
//
// Zero copy: arguments are views into the bytes of the last feed(), or, when a command spans
// several reads, into the parser's own buffer, which grows with what was received, never with what
// a client merely announces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resp/batch.hpp"

namespace kiwi::resp {

class RequestParser {
 public:
  enum class Event : uint8_t {
    kNeedMore,  // no whole command is left
    kCommand,   // args() holds one
    kError,     // the stream is broken: answer error() and close; nothing follows
  };

  void set_bulk_max(int64_t bytes) { bulk_max_ = bytes; }     // proto-max-bulk-len
  void set_authenticated(bool yes) { authenticated_ = yes; }  // a stranger's limits are smaller

  // Adds the bytes of one read. They must stay where they are until keep_rest().
  void feed(std::string_view bytes);
  Event next();
  // Views, valid until the next call of next(), feed() or keep_rest().
  Args args() const { return args_; }
  const std::string& error() const { return error_; }  // with its first word ERR
  // Moves what was not consumed into the own buffer: the bytes given to feed() may go.
  void keep_rest();

  size_t unread_bytes() const { return input().size() - begin_; }  // fed, and no command yet
  // What the command under way holds: its bytes, and the places of its arguments.
  size_t held_bytes() const { return unread_bytes() + argument_bytes(); }
  size_t memory_bytes() const { return buffer_.capacity() + argument_bytes(); }
  // What is not needed for the command under way.
  void give_back();

 private:
  struct Span {
    size_t offset = 0;  // from begin_
    size_t size = 0;
  };

  size_t argument_bytes() const {
    return args_.capacity() * sizeof(std::string_view) + spans_.capacity() * sizeof(Span) +
           unquoted_.capacity() * sizeof(std::string) + unquoted_bytes_;
  }
  std::string_view input() const { return external_ ? given_ : std::string_view(buffer_); }
  std::string_view command_bytes() const { return input().substr(begin_); }
  Event fail(std::string_view text);
  Event next_inline();
  Event next_multibulk();
  Event read_array_length();
  Event read_bulk();
  Event read_bulk_length();
  void finish(size_t size);  // the command at begin_ was so many bytes long
  bool split_inline(std::string_view line);

  int64_t bulk_max_ = 512LL << 20;
  bool authenticated_ = true;

  std::string_view given_;  // bytes of the last feed(), while external_
  bool external_ = false;
  std::string buffer_;    // what earlier reads left
  size_t begin_ = 0;      // start of the command under way in input()
  size_t size_hint_ = 0;  // bytes of input that the bulk string under way needs, from begin_

  // The multibulk command under way; offsets count from begin_.
  bool in_array_ = false;
  int64_t missing_ = 0;     // arguments still to come
  int64_t bulk_size_ = -1;  // of the argument under way; -1: its header was not read yet
  size_t at_ = 0;           // parsed up to here
  size_t scanned_ = 0;      // an unfinished line was searched for its end up to here
  std::vector<Span> spans_;

  std::vector<std::string_view> args_;
  std::vector<std::string> unquoted_;  // inline arguments that had quotes
  size_t unquoted_bytes_ = 0;          // in them
  std::string error_;
  bool failed_ = false;
};

// The words of a line in Redis' quoting: "..." with escapes, '...' with \' only. nullopt: a quote
// is not closed.
std::optional<std::vector<std::string>> split_quoted(std::string_view line);

}  // namespace kiwi::resp
