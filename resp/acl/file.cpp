#include "resp/acl/file.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"

namespace kiwi::resp::acl {

namespace {

std::string_view trimmed(std::string_view text, std::string_view what) {
  const size_t first = text.find_first_not_of(what);
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(what) - first + 1);
}

// At each blank: two in a row have an empty word between them, which is no rule.
std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const size_t end = line.find(' ');
    words.push_back(line.substr(0, end));
    if (end == std::string_view::npos) {
      return words;
    }
    line.remove_prefix(end + 1);
  }
}

// One line; what is wrong with it goes behind `errors`.
void parse_line(std::string_view line,
                const std::string& where,
                size_t number,
                const RuleContext& context,
                Rights& into,
                std::string& errors) {
  const std::vector<std::string_view> words = words_of(line);
  if (words[0] != "user" || words.size() < 2) {
    errors += where + " should start with user keyword followed by the username. ";
    return;
  }
  const std::string name(words[1]);
  if (has_blanks(name)) {
    errors += "'" + where + ": username '" + name + "' contains invalid characters. ";
    return;
  }
  const auto [user, is_new] = into.emplace(name, User(context));
  if (!is_new) {
    errors +=
        "WARNING: Duplicate user '" + name + "' found on line " + std::to_string(number) + ". ";
    return;
  }
  size_t open = 0;
  const auto rules = merged_rules(std::span(words).subspan(2), open);
  if (!rules) {
    errors += where + ": Unmatched parenthesis in selector definition.";
    return;
  }
  bool said_other = false;
  for (const std::string& rule : *rules) {
    const std::string_view said = trimmed(rule, "\t\r\n");
    const auto error = user->second.set(said, context);
    if (!error) {
      continue;
    }
    // Of what is no name of a command the words are not repeated: a password may stand in them. And
    // it may be what makes those behind it wrong, so it is said once.
    const bool no_command = *error == RuleError::kUnknownCommand;
    if (no_command || !std::exchange(said_other, true)) {
      errors += where + ": " +
                (no_command ? "Error in applying operation '" + std::string(said) + "': " : "") +
                std::string(text_of(*error)) + ". ";
    }
  }
}

}  // namespace

Result<Rights> parse_file(std::string_view text,
                          std::string_view path,
                          const RuleContext& context) {
  Rights rights;
  std::string errors;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end), " \t\r\n");
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (!line.empty()) {
      const std::string where = std::string(path) + ":" + std::to_string(number);
      parse_line(line, where, number, context, rights, errors);
    }
  }
  if (!errors.empty()) {
    return Error{Errc::kInvalid,
                 errors +
                     "WARNING: ACL errors detected, no change to the previously active ACL "
                     "rules was performed"};
  }
  return rights;
}

Result<Rights> parse_lines(const std::vector<std::vector<std::string>>& lines,
                           const RuleContext& context) {
  Rights rights;
  for (const std::vector<std::string>& line : lines) {
    const auto failed = [&](std::string_view rule, std::string_view why) {
      const std::string name = line.empty() ? std::string() : line.front();
      const bool secret = rule.find_first_of("<>") != std::string_view::npos;  // maybe
      return Error{Errc::kInvalid, "user " + name + ": '" +
                                       std::string(secret ? "(redacted)" : rule) +
                                       "' is no rule: " + std::string(why)};
    };
    if (line.empty() || line.front().empty() || has_blanks(line.front())) {
      return Error{Errc::kInvalid,
                   "a line that begins with user names one behind it, without "
                   "spaces, and then what it may do"};
    }
    const auto [user, is_new] = rights.emplace(line.front(), User(context));
    if (!is_new) {
      return failed("user", text_of(RuleError::kDuplicateUser));
    }
    const std::vector<std::string_view> words(line.begin() + 1, line.end());
    size_t open = 0;
    const auto rules = merged_rules(words, open);
    if (!rules) {
      return failed(words[open], "its parenthesis is not closed");
    }
    for (const std::string& rule : *rules) {
      if (const auto error = user->second.set(rule, context)) {
        return failed(rule, text_of(*error));
      }
    }
  }
  return rights;
}

std::string describe(const NamedUser& user) {
  return "user " + user.name + " " + user.rights.describe();
}

std::string file_text(const Users& users) {
  std::string text;
  for (const auto& [name, user] : users.by_name()) {
    CHECK_INVARIANT(!has_blanks(name));  // or it would be two words
    text += describe(*user) + "\n";
  }
  return text;
}

}  // namespace kiwi::resp::acl
