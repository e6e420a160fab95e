// Writes one client's replies as RESP2 or RESP3 bytes. The aggregate calls (array, map, set) take
// the number of elements that the caller then writes.
//
// A data command's reply has a bound (F45). A read that would pass it ends there, by ReplyTooLarge:
// it has no effects. A write must not be ended by what only its origin knows: its writer stops
// storing, and the connection has to end, for an error would say that nothing was done.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <string>
#include <string_view>

namespace kiwi::resp {

struct ReplyTooLarge : std::exception {
  const char* what() const noexcept override { return "the reply is too large"; }
};

class ReplyWriter {
 public:
  enum class Beyond : uint8_t { kThrow, kLose };
  // out == nullptr: replies are thrown away (a command executed on a node that is not its origin).
  explicit ReplyWriter(std::string* out, int version = 2) : out_(out), version_(version) {}
  // `end`: what `out` may grow to, what stands in it already included.
  ReplyWriter(std::string* out, int version, size_t end, Beyond beyond)
      : out_(out), version_(version), beyond_(beyond), end_(end) {}

  int version() const { return version_; }
  void set_version(int version) { version_ = version; }  // HELLO answers in the new one
  bool discards() const { return out_ == nullptr; }
  bool lost() const { return lost_; }  // kLose: there was more than fits

  void ok() { simple("OK"); }
  void simple(std::string_view text);
  void error(std::string_view text);  // with its first word: "ERR ...", "WRONGTYPE ..."
  void integer(int64_t value);
  void bulk(std::string_view bytes);
  void null();        // RESP2 $-1, RESP3 _
  void null_array();  // RESP2 *-1, RESP3 _
  void array(size_t elements);
  void map(size_t pairs);                 // RESP2: array of 2 * pairs
  void set(size_t elements);              // RESP2: array
  void push(size_t elements);             // RESP2: array
  void boolean(bool value);               // RESP2: integer
  void number(double value);              // RESP2: bulk string
  void verbatim(std::string_view bytes);  // RESP3 =txt:
  void raw(std::string_view encoded);     // already RESP
  // What comes first but is known last, like the length of an array: where() before the rest is
  // written, then insert() there.
  size_t where() const { return out_ != nullptr ? out_->size() : 0; }
  void insert(size_t where, std::string_view encoded);

 private:
  bool fits(size_t bytes) {
    return out_ != nullptr && (out_->size() + bytes <= end_ || overflow());
  }
  bool overflow();

  std::string* out_;
  int version_;
  Beyond beyond_ = Beyond::kThrow;
  bool lost_ = false;
  size_t end_ = std::numeric_limits<size_t>::max();
};

// Redis' texts that several commands share.
namespace texts {
inline constexpr std::string_view kWrongType =
    "WRONGTYPE Operation against a key holding the wrong kind of value";
inline constexpr std::string_view kSyntax = "ERR syntax error";
inline constexpr std::string_view kNotInteger = "ERR value is not an integer or out of range";
inline constexpr std::string_view kNotFloat = "ERR value is not a valid float";
inline constexpr std::string_view kOutOfRange = "ERR index out of range";
inline constexpr std::string_view kNoSuchKey = "ERR no such key";
inline constexpr std::string_view kNoLeader = "CLUSTERDOWN No raft leader";
inline constexpr std::string_view kNoCluster = "NOCLUSTER No Raft Cluster";
inline constexpr std::string_view kRemoved = "CLUSTERDOWN This node was removed from its cluster";
inline constexpr std::string_view kTimeout = "TIMEOUT not committed yet";
inline constexpr std::string_view kReadTimeout = "TIMEOUT no quorum for read";
inline constexpr std::string_view kLongReadTimeout =
    "TIMEOUT the read waited too long behind other long reads of this node";
inline constexpr std::string_view kTooManyLongReads =
    "ERR too many long reads wait on this node: ask again later, or another node";
inline constexpr std::string_view kLoading = "LOADING Raft module is loading data";
}  // namespace texts

}  // namespace kiwi::resp
