// Which life of a data directory somebody speaks from (F52). A directory draws a mark, a number and
// a nonce, at every start and now and then while it runs, keeps the latest of them, and says them
// in every hello. Whoever remembers one mark of it sees later whether a directory goes on from
// there, or is a copy that was made before and put back. Plain values; no clock, no file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/result.hpp"

namespace kiwi::raft {

struct Mark {
  uint64_t number = 0;  // 1, 2, 3, ... without a gap
  uint64_t nonce = 0;   // at random: two copies of one directory draw different ones
  bool operator==(const Mark&) const = default;
};

inline constexpr size_t kMarksMax = 64;  // kept of one directory

// Adds the next one and drops what is too many.
void add_mark(std::vector<Mark>& marks, uint64_t nonce);

// What somebody knows of the marks of one directory, from it and from others: the latest of them,
// by number. Two of one number were drawn by two copies that both ran: a fork. Then only these two
// are kept, for good, since neither copy has what the other one promised.
class Lineage {
 public:
  enum class Judgement : uint8_t {
    kGoesOn,   // also if it cannot be told, because none of the numbers is on both sides
    kBehind,   // no mark differs, but a later one is known: an old copy, or an old word of the
               // directory
    kDiffers,  // a copy that went its own way
  };
  // Of a directory that says these marks.
  Judgement judge(const std::vector<Mark>& marks) const;
  // Marks that somebody drew, in order of their numbers. True: it is news. Never forgets a mark for
  // one that differs from it.
  bool learn(const std::vector<Mark>& marks);
  bool forked() const;
  const std::vector<Mark>& marks() const { return marks_; }  // at most kMarksMax
  bool operator==(const Lineage&) const = default;

 private:
  std::vector<Mark> marks_;  // numbers ascend; equal ones only in a fork
};

// ON THE WIRE and on disk: number of the first u64 | their nonces, u64 each; nothing for none.
std::string encode_marks(const std::vector<Mark>& marks);
Result<std::vector<Mark>> decode_marks(std::string_view bytes);
// The same for marks with gaps and forks, as they are known: number u64 | nonce u64, each.
std::string encode_lineage(const std::vector<Mark>& marks);
Result<std::vector<Mark>> decode_lineage(std::string_view bytes);

}  // namespace kiwi::raft
