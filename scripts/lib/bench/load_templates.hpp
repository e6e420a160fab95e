// Commands of --mix templates, made from a file: one command a line, a weight and then its words.
//
//   3 HSET hash:@k20000@ field @v64@
//   1 ZADD zset {100 @r1000000@ member:@s@ }
//
// @rN@ is a number drawn below N, @kN@ the same in twelve digits, as names have it, @s@ the next
// number of the run in twelve digits, @vN@ a text of N bytes that no compressor makes much smaller.
// Words between `{N` and `}` come N times, each time drawn anew. Commands are drawn by their
// weights; where all weights are 0 the lines come in turn.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace kiwi::bench {

class Templates {
 public:
  // `first` is the first number of @s@. Throws std::runtime_error, with a sentence, for a file that
  // is none.
  Templates(const std::string& path, uint64_t first);

  // The next command, as Redis' protocol has it.
  std::string draw(std::mt19937_64& random);

 private:
  struct Part {
    enum class Kind { kText, kRandom, kName, kNext, kValue };
    Kind kind = Kind::kText;
    std::string text;
    uint64_t number = 0;
  };
  using Word = std::vector<Part>;
  struct Group {  // words that come `times` times
    uint64_t times = 1;
    std::vector<Word> words;
  };
  struct Command {
    uint64_t weight = 0;
    std::vector<Group> groups;
    std::string head;  // "*words\r\n"
  };

  static Command parse(const std::string& line);
  static Word parse_word(const std::string& word);
  static Part parse_part(const std::string& text);
  const Command& choose(std::mt19937_64& random);
  void write(const Word& word, std::mt19937_64& random, std::string& out);

  std::vector<Command> commands_;
  uint64_t weights_ = 0;  // of all commands together
  uint64_t turn_ = 0;
  uint64_t next_;
  std::string pool_;     // values are pieces of it
  std::string scratch_;  // the word that is being written
};

}  // namespace kiwi::bench
