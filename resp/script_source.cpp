#include "resp/script_source.hpp"

#include <algorithm>
#include <vector>

#include "resp/lua/machine.hpp"
#include "resp/numbers.hpp"
#include "resp/parser.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace {

constexpr std::string_view kMark = "#!";

// 0: there is no such flag.
uint32_t flag_of(std::string_view name) {
  for (const lua::FlagName& known : lua::kFlagNames) {
    if (name == known.name) {
      return known.flag;
    }
  }
  return 0;
}

// "flags=a,b" behind the '='; false: `error` names the one that is none.
bool read_flags(std::string_view names, uint32_t& flags, std::string& error) {
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find(','));
    const uint32_t flag = flag_of(name);
    if (flag == 0) {
      error = "ERR Unexpected flag in script shebang: " + std::string(quoted_word(name));
      return false;
    }
    flags |= flag;
    if (name.size() == names.size()) {
      return true;
    }
    names.remove_prefix(name.size() + 1);
    if (names.empty()) {  // a comma at the end names one more
      error = "ERR Unexpected flag in script shebang: ";
      return false;
    }
  }
  return true;
}

bool starts_with_word(std::string_view text, std::string_view lower_case_word) {
  return text.size() >= lower_case_word.size() &&
         same_word(text.substr(0, lower_case_word.size()), lower_case_word);
}

}  // namespace

std::optional<ScriptSource> read_script(std::string_view text, std::string& error) {
  ScriptSource source{.code = text, .flags = 0, .has_flags = false};
  if (text.size() > kScriptBytes) {
    error = "ERR the script is larger than " + std::to_string(kScriptBytes) + " bytes";
    return std::nullopt;
  }
  if (!text.starts_with(kMark)) {
    return source;
  }
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) {
    error = "ERR Invalid script shebang";
    return std::nullopt;
  }
  const auto words = split_quoted(text.substr(0, end));
  if (!words || words->empty()) {
    error = "ERR Invalid engine in script shebang";
    return std::nullopt;
  }
  if (words->front() != "#!lua") {
    error = "ERR Unexpected engine in script shebang: " + std::string(quoted_word(words->front()));
    return std::nullopt;
  }
  source.code = text.substr(end);
  source.has_flags = true;
  constexpr std::string_view kFlags = "flags=";
  for (size_t i = 1; i < words->size(); ++i) {
    const std::string_view word = (*words)[i];
    if (!word.starts_with(kFlags)) {
      error = "ERR Unknown lua shebang option: " + std::string(quoted_word(word));
      return std::nullopt;
    }
    if (!read_flags(word.substr(kFlags.size()), source.flags, error)) {
      return std::nullopt;
    }
  }
  return source;
}

std::optional<LibrarySource> read_library(std::string_view text, std::string& error) {
  if (text.size() > kScriptBytes) {
    error = "ERR the library is larger than " + std::to_string(kScriptBytes) + " bytes";
    return std::nullopt;
  }
  if (!text.starts_with(kMark)) {
    error = "ERR Missing library metadata";
    return std::nullopt;
  }
  const size_t end = text.find('\n');
  const auto words =
      end == std::string_view::npos ? std::nullopt : split_quoted(text.substr(0, end));
  if (!words || words->empty()) {
    error = "ERR Invalid library metadata";
    return std::nullopt;
  }
  constexpr std::string_view kName = "name=";
  std::optional<std::string> name;
  for (size_t i = 1; i < words->size(); ++i) {
    const std::string& word = (*words)[i];
    if (!starts_with_word(word, kName)) {
      error = "ERR Invalid metadata value given: " + std::string(quoted_word(word));
      return std::nullopt;
    }
    if (name) {
      error = "ERR Invalid metadata value, name argument was given multiple times";
      return std::nullopt;
    }
    name = word.substr(kName.size());
  }
  if (!name) {
    error = "ERR Library name was not given";
    return std::nullopt;
  }
  if (!lua::is_name(*name)) {
    error = "ERR ";
    error += lua::kBadName;
    return std::nullopt;
  }
  if (const std::string engine = words->front().substr(kMark.size()); !same_word(engine, "lua")) {
    error = "ERR Engine '" + engine + "' not found";
    return std::nullopt;
  }
  return LibrarySource{std::move(*name), text.substr(end)};
}

std::optional<ScriptWords> read_script_words(Args args,
                                             std::string_view not_a_number,
                                             ReplyWriter& reply) {
  constexpr size_t kBefore = 3;
  const auto keys = parse_integer(args[2]);
  if (!keys) {
    reply.error(not_a_number);
    return std::nullopt;
  }
  const size_t words = args.size() - kBefore;
  if (*keys > static_cast<int64_t>(words)) {
    reply.error("ERR Number of keys can't be greater than number of args");
    return std::nullopt;
  }
  if (*keys < 0) {
    reply.error("ERR Number of keys can't be negative");
    return std::nullopt;
  }
  const auto count = static_cast<size_t>(*keys);
  return ScriptWords{args.subspan(kBefore, count), args.subspan(kBefore + count)};
}

}  // namespace kiwi::resp
