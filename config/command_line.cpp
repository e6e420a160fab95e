// Reads the command line and configuration files into Options.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

#include "config/options_table.hpp"
#include "config/version.hpp"

namespace kiwi::config {
namespace {

constexpr int kIncludeDepth = 8;
constexpr size_t kFileBytes = 4 * limits::kMiB;

Error invalid(std::string text) { return Error{Errc::kInvalid, std::move(text)}; }

int hex_digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Inside double quotes, at a backslash: moves past the escape.
char unescape(std::string_view line, size_t& at) {
  if (line.substr(at, 2) == "\\x" && at + 3 < line.size() && hex_digit(line[at + 2]) >= 0 &&
      hex_digit(line[at + 3]) >= 0) {
    char value = static_cast<char>(hex_digit(line[at + 2]) * 16 + hex_digit(line[at + 3]));
    at += 4;
    return value;
  }
  char c = line[at + 1];
  at += 2;
  return c == 'n'   ? '\n'
         : c == 'r' ? '\r'
         : c == 't' ? '\t'
         : c == 'b' ? '\b'
         : c == 'a' ? '\a'
                    : c;
}

// line[at] is the opening quote. nullopt: no closing quote, or text right behind it.
std::optional<std::string> quoted_word(std::string_view line, size_t& at) {
  char quote = line[at++];
  std::string word;
  while (at < line.size() && line[at] != quote) {
    if (line[at] == '\\' && at + 1 < line.size() && (quote == '"' || line[at + 1] == '\'')) {
      word.push_back(quote == '"' ? unescape(line, at) : (at += 2, '\''));
    } else {
      word.push_back(line[at++]);
    }
  }
  bool closed = at++ < line.size();
  return closed && (at >= line.size() || is_space(line[at])) ? std::optional(word) : std::nullopt;
}

// What scripts that start RedisRaft say and Kiwi has no use for: it needs no module and has no RDB
// file.
bool has_no_meaning_here(std::string_view name) {
  return name == "loadmodule" || name == "dbfilename";
}

// Lines that may stand there several times and are no option that has one value. False: it is an
// option.
Result<bool> apply_many(Options& options,
                        const std::string& where,
                        const std::vector<std::string>& words) {
  const std::string name = lower_case(words[0]);
  if (name == "user") {
    if (words.size() < 2) {
      return invalid(where + ": user takes a name and what that user may do");
    }
    options.users.emplace_back(words.begin() + 1, words.end());
    return true;
  }
  if (name == "rename-command") {
    if (words.size() != 3) {
      return invalid(where + ": rename-command takes a command and its new name, or \"\"");
    }
    options.renamed.emplace_back(lower_case(words[1]), lower_case(words[2]));
    return true;
  }
  return false;
}

// One setting. `where` is "file:line" or "--name". words[0] is the name.
Result<void> apply_setting(Options& options,
                           const std::string& where,
                           const std::vector<std::string>& words) {
  if (Result<bool> taken = apply_many(options, where, words); !taken || *taken) {
    return taken ? Result<void>() : Result<void>(taken.error());
  }
  const OptionRow* row = find_option(words[0]);
  if (row == nullptr && has_no_meaning_here(lower_case(words[0]))) {
    std::string& text = options.ignored.emplace_back(words[0]);
    for (size_t i = 1; i < words.size(); ++i) {
      text += " " + words[i];
    }
    return {};
  }
  if (row == nullptr) {
    std::string near = nearest_option(words[0]);
    return invalid(
        where + ": there is no option '" + words[0] + "'" +
        (near.empty() ? "; kiwi-server --help lists them" : "; did you mean '" + near + "'?"));
  }
  std::string name(row->name);
  if (words.size() < 2) {
    return invalid(where + ": " + name + " has no value; give it " + row->allowed());
  }
  if (words.size() > 2 && !row->many_words) {
    return invalid(where + ": " + name + " takes one value, but '" + words[2] +
                   "' follows the first; put text with spaces in quotes");
  }
  std::string value = words[1];
  for (size_t i = 2; i < words.size(); ++i) {
    value += " " + words[i];
  }
  if (Refusal refusal = row->parse(options, value)) {
    // The peers parser says what is wrong inside; elsewhere the allowed values say it all.
    std::string why = name == "raft.peers" ? " (" + *refusal + ")" : "";
    return invalid(where + ": '" + value + "' is not a value for " + name + why + "; give it " +
                   row->allowed());
  }
  options.given.names.insert(name);
  return {};
}

Result<std::string> read_file(const std::string& path) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                       &std::fclose);
  auto failed = [&path] {
    return Error{Errc::kIo, "cannot read the configuration file '" + path +
                                "': " + std::strerror(errno)};  // NOLINT(concurrency-mt-unsafe)
  };
  if (!file) {
    return failed();
  }
  std::string text;
  char buffer[4096];
  while (size_t n = std::fread(buffer, 1, sizeof(buffer), file.get())) {
    text.append(buffer, n);
    if (text.size() > kFileBytes) {
      return invalid("'" + path + "' is over 4 MiB: that is not a configuration file");
    }
  }
  if (std::ferror(file.get()) != 0) {
    return failed();
  }
  return text;
}

Result<void> apply_file(Options& options, const std::string& path, int depth);

Result<void> apply_line(Options& options,
                        const std::string& where,
                        std::string_view line,
                        int depth) {
  std::optional<std::vector<std::string>> words = split_line(line);
  if (!words) {
    return invalid(where + ": a quote is not closed, or has text right behind it");
  }
  if (words->empty() || (*words)[0].starts_with('#')) {
    return {};
  }
  if (lower_case((*words)[0]) != "include") {
    return apply_setting(options, where, *words);
  }
  if (words->size() != 2) {
    return invalid(where + ": include takes the name of one file");
  }
  if (depth >= kIncludeDepth) {
    return invalid(where + ": files include each other more than 8 deep");
  }
  Result<void> included = apply_file(options, (*words)[1], depth + 1);
  return included ? included : Error{included.error().code, where + ": " + included.error().text};
}

Result<void> apply_file(Options& options, const std::string& path, int depth) {
  Result<std::string> text = read_file(path);
  if (!text) {
    return text.error();
  }
  std::string_view rest = *text;
  for (int line = 1; !rest.empty(); ++line) {
    size_t end = rest.find('\n');
    std::string_view content = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    std::string where = path + ":" + std::to_string(line);
    size_t first = content.find_first_not_of(" \t\r");
    if (first != std::string_view::npos && content[first] == '#') {
      continue;  // a comment may hold an odd quote
    }
    if (Result<void> done = apply_line(options, where, content, depth); !done) {
      return done;
    }
  }
  return {};
}

std::string absolute_path(const std::string& path) {
  std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), &std::free);
  return real ? std::string(real.get()) : path;
}

// --help and its like, which need no valid configuration.
std::optional<std::string> asked_text(std::string_view argument) {
  if (argument == "--help" || argument == "-h") {
    return help_text();
  }
  if (argument == "--version" || argument == "-v") {
    return "Kiwi server v=" + std::string(kKiwiVersion) + " (speaks Redis " +
           std::string(kRedisVersion) + ")\n";
  }
  if (argument == "--print-config") {
    return sample_config();
  }
  return std::nullopt;
}

// What fills a new directory. False: it is another option.
Result<bool> read_filling(Options& options,
                          std::string_view argument,
                          const std::vector<std::string>& words) {
  if (argument == "--restore") {
    if (words.size() != 2) {
      return invalid("--restore needs the directory of a backup");
    }
    options.restore = words[1];
  } else if (argument == "--import") {
    if (words.size() != 2) {
      return invalid("--import needs an RDB file of Redis");
    }
    options.import = words[1];
  } else if (argument == "--import-skip-unsupported") {
    if (words.size() != 1) {
      return invalid("--import-skip-unsupported stands alone");
    }
    options.import_skip_unsupported = true;
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::optional<std::vector<std::string>> split_line(std::string_view line) {
  std::vector<std::string> words;
  size_t at = 0;
  while (true) {
    while (at < line.size() && is_space(line[at])) {
      ++at;
    }
    if (at >= line.size()) {
      return words;
    }
    std::string word;
    while (at < line.size() && !is_space(line[at])) {
      if (line[at] == '"' || line[at] == '\'') {
        std::optional<std::string> part = quoted_word(line, at);
        if (!part) {
          return std::nullopt;
        }
        word += *part;
      } else {
        word.push_back(line[at++]);
      }
    }
    words.push_back(std::move(word));
  }
}

Result<Options> parse_command_line(int argc, const char* const* argv) {
  Options options;
  std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  for (const std::string& argument : arguments) {
    if (std::optional<std::string> text = asked_text(argument)) {
      options.text_to_print = *text;
      return options;
    }
  }
  size_t at = 0;
  if (at < arguments.size() && !arguments[at].starts_with("--")) {
    if (Result<void> read = apply_file(options, arguments[at], 0); !read) {
      return read.error();
    }
    options.config_file = absolute_path(arguments[at++]);
  }
  while (at < arguments.size()) {
    const std::string& argument = arguments[at];
    if (!argument.starts_with("--") || argument.size() == 2) {
      return invalid("'" + argument + "' is not an option; options look like --name value");
    }
    std::vector<std::string> words{argument.substr(2)};
    for (++at; at < arguments.size() && !arguments[at].starts_with("--"); ++at) {
      words.push_back(arguments[at]);
    }
    Result<bool> filled = read_filling(options, argument, words);
    if (!filled) {
      return filled.error();
    }
    if (*filled) {
      continue;
    }
    if (Result<void> done = apply_setting(options, argument, words); !done) {
      return done.error();
    }
  }
  if (!options.restore.empty() && !options.import.empty()) {
    return invalid("a new directory is filled by --restore or by --import, not by both");
  }
  options.adapted = apply_dialect(options);
  if (Result<void> valid = validate(options); !valid) {
    return valid.error();
  }
  return options;
}

}  // namespace kiwi::config
