#include "scripts/lib/bench/load_templates.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <sstream>
#include <stdexcept>

namespace kiwi::bench {
namespace {

constexpr size_t kPoolBytes = 4 << 20;  // of random text: beyond what a compressor looks back
constexpr uint64_t kPoolSeed = 7;

void name_number(std::string& out, uint64_t number) {
  char digits[32];
  const int length =
      std::snprintf(digits, sizeof digits, "%012llu", static_cast<unsigned long long>(number));
  out.append(digits, static_cast<size_t>(length));
}

// Letters, digits, '-' and '_': six bits of chance in each byte.
std::string random_text(size_t bytes) {
  constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::mt19937_64 random(kPoolSeed);
  std::string text(bytes, ' ');
  for (char& c : text) {
    c = kLetters[random() & 63];
  }
  return text;
}

[[noreturn]] void refuse(const std::string& what) {
  throw std::runtime_error("templates: " + what);
}

}  // namespace

Templates::Templates(const std::string& path, uint64_t first) : next_(first) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) {
      commands_.push_back(parse(line));
      weights_ += commands_.back().weight;
    }
  }
  if (commands_.empty()) {
    refuse("there is no command in " + path);
  }
  pool_ = random_text(kPoolBytes);
}

Templates::Command Templates::parse(const std::string& line) {
  std::istringstream words(line);
  Command command;
  if (!(words >> command.weight)) {
    refuse("a line begins with a weight, unlike this: " + line);
  }
  command.groups.emplace_back();
  for (std::string word; words >> word;) {
    if (word == "}") {
      command.groups.emplace_back();
    } else if (word.size() > 1 && word[0] == '{' &&
               word.find_first_not_of("0123456789", 1) == std::string::npos) {
      command.groups.emplace_back();
      command.groups.back().times = std::strtoull(word.c_str() + 1, nullptr, 10);
    } else {
      command.groups.back().words.push_back(parse_word(word));
    }
  }
  const uint64_t count = std::accumulate(
      command.groups.begin(), command.groups.end(), uint64_t{0},
      [](uint64_t sum, const Group& group) { return sum + group.times * group.words.size(); });
  if (count == 0) {
    refuse("a line without words: " + line);
  }
  command.head = "*" + std::to_string(count) + "\r\n";
  return command;
}

Templates::Word Templates::parse_word(const std::string& word) {
  Word parts;
  bool literal = true;  // what lies between pairs of @ is none
  for (size_t at = 0; at <= word.size(); literal = !literal) {
    const size_t end = std::min(word.find('@', at), word.size());
    const std::string text = word.substr(at, end - at);
    if (!literal) {
      parts.push_back(parse_part(text));
    } else if (!text.empty()) {
      parts.push_back({Part::Kind::kText, text, 0});
    }
    at = end + 1;
  }
  if (literal) {  // one @ more than pairs
    refuse("an @ without another: " + word);
  }
  return parts;
}

Templates::Part Templates::parse_part(const std::string& text) {
  if (text == "s") {
    return {Part::Kind::kNext, {}, 0};
  }
  const uint64_t number = text.size() < 2 ? 0 : std::strtoull(text.c_str() + 1, nullptr, 10);
  const auto kind = text.empty()     ? Part::Kind::kText
                    : text[0] == 'r' ? Part::Kind::kRandom
                    : text[0] == 'k' ? Part::Kind::kName
                    : text[0] == 'v' ? Part::Kind::kValue
                                     : Part::Kind::kText;
  if (kind == Part::Kind::kText || number == 0 ||
      (kind == Part::Kind::kValue && number > kPoolBytes / 2)) {
    refuse("there is no @" + text + "@");
  }
  return {kind, {}, number};
}

const Templates::Command& Templates::choose(std::mt19937_64& random) {
  if (weights_ == 0) {
    return commands_[turn_++ % commands_.size()];
  }
  uint64_t drawn = random() % weights_;
  size_t at = 0;
  while (drawn >= commands_[at].weight) {
    drawn -= commands_[at++].weight;
  }
  return commands_[at];
}

void Templates::write(const Word& word, std::mt19937_64& random, std::string& out) {
  scratch_.clear();
  for (const Part& part : word) {
    switch (part.kind) {
      case Part::Kind::kText:
        scratch_ += part.text;
        break;
      case Part::Kind::kRandom:
        scratch_ += std::to_string(random() % part.number);
        break;
      case Part::Kind::kName:
        name_number(scratch_, random() % part.number);
        break;
      case Part::Kind::kNext:
        name_number(scratch_, next_++);
        break;
      case Part::Kind::kValue:
        scratch_.append(pool_, random() % (pool_.size() - part.number), part.number);
        break;
    }
  }
  out += '$';
  out += std::to_string(scratch_.size());
  out += "\r\n";
  out += scratch_;
  out += "\r\n";
}

std::string Templates::draw(std::mt19937_64& random) {
  const Command& command = choose(random);
  std::string out = command.head;
  for (const Group& group : command.groups) {
    for (uint64_t time = 0; time < group.times; ++time) {
      for (const Word& word : group.words) {
        write(word, random, out);
      }
    }
  }
  return out;
}

}  // namespace kiwi::bench
