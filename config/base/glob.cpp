#include "config/base/glob.hpp"

#include <cstddef>
#include <cstdint>
#include <utility>

namespace kiwi {
namespace {

uint8_t fold(char c, bool ignore_case) {
  bool upper = ignore_case && c >= 'A' && c <= 'Z';
  return static_cast<uint8_t>(upper ? c - 'A' + 'a' : c);
}

// pattern[at] is '['. Moves `at` past the set and says whether c is in it. As in Redis a set that
// is not closed ends with the pattern.
bool match_set(std::string_view pattern, size_t& at, char c, bool ignore_case) {
  uint8_t wanted = fold(c, ignore_case);
  bool negated = ++at < pattern.size() && pattern[at] == '^';
  at += negated ? 1 : 0;
  bool found = false;
  for (; at < pattern.size() && pattern[at] != ']'; ++at) {
    if (pattern[at] == '\\' && at + 1 < pattern.size()) {
      ++at;
      found = found || fold(pattern[at], ignore_case) == wanted;
    } else if (at + 2 < pattern.size() && pattern[at + 1] == '-') {
      uint8_t low = fold(pattern[at], ignore_case);
      uint8_t high = fold(pattern[at + 2], ignore_case);
      if (low > high) {
        std::swap(low, high);
      }
      found = found || (low <= wanted && wanted <= high);
      at += 2;
    } else {
      found = found || fold(pattern[at], ignore_case) == wanted;
    }
  }
  at += at < pattern.size() ? 1 : 0;
  return found != negated;
}

// One character of text against the pattern's element at `at` (not a star); moves past it.
bool match_one(std::string_view pattern, size_t& at, char c, bool ignore_case) {
  if (pattern[at] == '?') {
    ++at;
    return true;
  }
  if (pattern[at] == '[') {
    return match_set(pattern, at, c, ignore_case);
  }
  if (pattern[at] == '\\' && at + 1 < pattern.size()) {
    ++at;
  }
  return fold(pattern[at++], ignore_case) == fold(c, ignore_case);
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text, bool ignore_case, uint64_t* work) {
  uint64_t nobody = 0;
  uint64_t& done = work != nullptr ? *work : nobody;
  done = 0;
  if (text.empty()) {  // Redis' matcher gives up at once here, and its callers know * alone
    return pattern.empty() || pattern == "*";
  }
  if (pattern.size() > kGlobWork && text.size() <= kGlobWork) {
    return false;  // one set of it may be all of it: that, for each of hundreds of names
  }
  constexpr size_t kNone = static_cast<size_t>(-1);
  size_t p = 0;
  size_t t = 0;
  size_t star = kNone;  // where to go on after the last *; earlier ones never need another try
  size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      star_text = t;
      ++done;
      if (p == pattern.size()) {
        return true;  // whatever is left, also of a name that is longer than kGlobWork
      }
      continue;
    }
    const size_t before = p;
    const bool fits = p < pattern.size() && match_one(pattern, p, text[t], ignore_case);
    done += p - before + 1;
    if (fits) {
      ++t;
      continue;
    }
    if (star == kNone || done > kGlobWork) {
      return false;
    }
    p = star;
    t = ++star_text;
  }
  while (p < pattern.size() && pattern[p] == '*') {
    ++p;
  }
  return p == pattern.size();
}

}  // namespace kiwi
