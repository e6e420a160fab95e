#include "resp/commands/scan.hpp"

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "config/base/glob.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

// As strtoul reads it, which is what Redis does with cursors.
std::optional<uint64_t> read_cursor(std::string_view text, ReplyWriter& reply) {
  std::string terminated(text);
  char* end = nullptr;
  errno = 0;
  uint64_t cursor = std::strtoul(terminated.c_str(), &end, 10);
  bool space = !text.empty() && std::isspace(static_cast<unsigned char>(text[0]));
  if (space || end != terminated.c_str() + terminated.size() || errno == ERANGE) {
    reply.error("ERR invalid cursor");
    return std::nullopt;
  }
  return cursor;
}

bool read_scan_options(
    Args args, size_t first, bool with_type, ScanOptions& options, ReplyWriter& reply) {
  for (size_t at = first; at < args.size(); at += 2) {
    bool has_value = at + 1 < args.size();
    if (same_word(args[at], "count") && has_value) {
      auto count = parse_integer(args[at + 1]);
      if (!count || *count < 1) {
        reply.error(count ? texts::kSyntax : texts::kNotInteger);
        return false;
      }
      options.count = *count;
    } else if (same_word(args[at], "match") && has_value) {
      options.pattern = args[at + 1];
    } else if (with_type && same_word(args[at], "type") && has_value) {
      options.type = args[at + 1];
    } else {
      reply.error(texts::kSyntax);
      return false;
    }
  }
  return true;
}

bool matches(std::string_view pattern, std::string_view name, Steps& steps) {
  constexpr uint64_t kPerStep = 256;  // characters that are compared
  uint64_t work = 0;
  const bool found = glob_match(pattern, name, false, &work);
  steps.step(work / kPerStep);
  return found;
}

bool ScanPage::look(uint64_t hash) {
  if (seen_ >= options_.count && hash != last_hash_) {
    next_ = last_hash_ + 1;
    return false;
  }
  ++seen_;
  last_hash_ = hash;
  return true;
}

void ScanPage::add(std::string_view name) {
  if (matches(options_.pattern, name, steps_)) {
    reply_.bulk(name);
    ++found_;
  }
}

void ScanPage::add(std::string_view name, std::string_view value) {
  if (matches(options_.pattern, name, steps_)) {
    reply_.bulk(name);
    reply_.bulk(value);
    found_ += 2;
  }
}

void ScanPage::finish() {
  const size_t head = reply_.where();
  reply_.array(2);
  reply_.bulk(std::to_string(next_));
  reply_.array(found_);
  reply_.put_first(begin_, head);
}

}  // namespace kiwi::resp
