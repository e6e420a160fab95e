// A long reply that leaves in pieces while RespWriter writes it, so that it may have any length.
//
// What stands first but is known last (ReplyWriter::put_first: the length of what KEYS finds) is
// found by writing the reply twice, on the same view and so with the same bytes. The first attempt
// ends by LateHeads once too much would have to wait for such a head. The reply is then measured,
// which sends nothing, and after that sent, each head in its place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "config/limits.hpp"

namespace kiwi::resp {

// Where the pieces go.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  // Not empty. Returns when there is room for another one; it may throw (Stopped).
  virtual void piece(std::string bytes) = 0;
};

// Not a std::exception: nothing between the writer and run_long_read() may take it for a failure.
struct LateHeads {};

class ReplyStream {
 public:
  explicit ReplyStream(ReplySink& sink,
                       size_t piece_bytes = config::limits::kReplyPieceBytes,
                       size_t late_bytes = config::limits::kReplyWindowBytes)
      : sink_(sink), piece_bytes_(piece_bytes), late_bytes_(late_bytes) {}

  // After LateHeads, and then again after the reply was written.
  void measure() { begin(Pass::kMeasure); }
  void send() { begin(Pass::kSend); }

  // ---- for the writer, with what it has written and is still here
  size_t piece_bytes() const { return piece_bytes_; }
  // There are as many bytes as make a piece.
  void let_go(std::string& here);
  size_t where(std::string& here);
  void put_first(std::string& here, size_t begin, size_t head);
  bool has_begun() const { return gone_ != 0; }  // there is no way back

 private:
  enum class Pass : uint8_t { kTry, kMeasure, kSend };
  struct Head {
    size_t at = 0;  // in the whole reply
    std::string bytes;
  };
  static constexpr size_t kHeadBytes = 256;  // the longest

  void begin(Pass pass);

  ReplySink& sink_;
  const size_t piece_bytes_;
  const size_t late_bytes_;  // that may wait for a head
  Pass pass_ = Pass::kTry;
  size_t gone_ = 0;   // bytes before `here`
  size_t sent_ = 0;   // of them the sink has: those before LateHeads are not sent again
  size_t asked_ = 0;  // the last place that was
  // kTry: places that were asked for and are not used; each head takes two. Not 0: all waits.
  size_t places_ = 0;
  std::vector<Head> heads_;  // by place
  size_t next_head_ = 0;     // kSend
};

}  // namespace kiwi::resp
