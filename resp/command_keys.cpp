#include "resp/command_keys.hpp"

#include <algorithm>

#include "resp/command.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace {

// Any case on both sides: rows write keywords in upper case, as Redis shows them.
bool is_word(std::string_view given, std::string_view word) {
  return std::ranges::equal(given, word,
                            [](char a, char b) { return lower_case(a) == lower_case(b); });
}

// The argument behind the keyword; argc if it is not there. As Redis looks for it: not at the very
// end, where nothing could follow.
int64_t behind_keyword(const KeySpec& spec, Args argv) {
  const auto argc = static_cast<int64_t>(argv.size());
  const bool forward = spec.begin_at > 0;
  const int64_t last = forward ? argc - 1 : 1;
  for (int64_t i = forward ? spec.begin_at : argc + spec.begin_at; forward ? i < last : i > last;
       i += forward ? 1 : -1) {
    if (is_word(argv[static_cast<size_t>(i)], spec.keyword)) {
      return i + 1;
    }
  }
  return argc;
}

// SORT's destination may stand anywhere, and the last one counts; no specification of Redis' kinds
// says that, so COMMAND INFO calls it unknown. What follows BY, GET and LIMIT is no keyword.
KeyRange stored_by_sort(const KeySpec& spec, Args argv) {
  KeyRange found{};
  for (size_t i = 2; i < argv.size(); ++i) {
    if (is_word(argv[i], "LIMIT")) {
      i += 2;
    } else if (is_word(argv[i], "GET") || is_word(argv[i], "BY")) {
      i += 1;
    } else if (is_word(argv[i], "STORE") && i + 1 < argv.size()) {
      found = {.first = static_cast<uint32_t>(i + 1), .count = 1, .step = 1, .flags = spec.flags};
    }
  }
  return found;
}

uint16_t flags_here(const KeySpec& spec, Args argv) {
  if (spec.words.empty()) {
    return spec.flags;
  }
  const auto is_among = [&](std::string_view given) {
    for (std::string_view words = spec.words; !words.empty();) {
      if (is_word(given, key_text::take(words, " "))) {
        return true;
      }
    }
    return false;
  };
  const Args options = argv.subspan(std::min(argv.size(), static_cast<size_t>(spec.words_at)));
  return std::ranges::any_of(options, is_among) ? spec.flags_with : spec.flags_without;
}

constexpr KeyRange kNoKeys{};
constexpr KeyRange kDoesNotFit{.fits = false};

}  // namespace

KeyRange find_keys(const KeySpec& spec, Args argv) {
  const auto argc = static_cast<int64_t>(argv.size());
  int64_t first = spec.begin_at;
  if (spec.begin == KeySpec::Begin::kUnknown || spec.find == KeySpec::Find::kUnknown) {
    return (spec.flags & kKeyOW) != 0 ? stored_by_sort(spec, argv) : kNoKeys;
  }
  if (spec.begin == KeySpec::Begin::kKeyword) {
    first = behind_keyword(spec, argv);
    if (first == argc) {
      return kNoKeys;  // an option that was not given
    }
  }
  int64_t last = 0;
  int64_t step = 1;
  if (spec.find == KeySpec::Find::kRange) {
    const auto [from_first, every, parts] = spec.numbers;
    step = every;
    last = from_first >= 0 ? first + from_first
           : parts > 1     ? first + (argc - first) / parts + from_first
                           : argc + from_first;
  } else {
    const auto [count_at, first_at, every] = spec.numbers;
    const int64_t at = first + count_at;
    std::optional<int64_t> count;
    if (at < argc) {
      count = parse_integer(argv[static_cast<size_t>(at)]);
    }
    if (!count || *count < 1 || *count > argc) {
      return kDoesNotFit;
    }
    step = every;
    first += first_at;
    last = first + (*count - 1) * step;
  }
  if (last < first || last >= argc) {
    return kDoesNotFit;
  }
  return {.first = static_cast<uint32_t>(first),
          .count = static_cast<uint32_t>((last - first) / step + 1),
          .step = static_cast<uint32_t>(step),
          .flags = flags_here(spec, argv)};
}

void Keys::Iterator::settle() {
  given_ = 0;
  for (; !specs_.empty(); specs_ = specs_.subspan(1)) {
    range_ = find_keys(specs_[0], argv_);
    if (range_.count != 0) {
      return;
    }
  }
}

bool Keys::fit() const {
  return std::ranges::all_of(specs_,
                             [&](const KeySpec& spec) { return find_keys(spec, argv_).fits; });
}

namespace {

// The command that stands behind the words of another one: its keys are the keys. Positions count
// from its name on.
Keys keys_inside(const CommandSpec& row, Args argv) {
  const size_t words = words_in_front(row);
  if (argv.size() <= words) {
    return {row.keys, argv};
  }
  const Args inside = argv.subspan(words);
  const CommandSpec* inner = resolve_command(inside, kAnyVersion).row;
  const bool again = inner != nullptr && words_in_front(*inner) != 0;  // refused; and no recursion
  return inner == nullptr || again ? Keys{row.keys, argv} : keys_of(*inner, inside);
}

}  // namespace

Keys keys_of(const CommandSpec& row, Args argv) {
  if ((row.flags & kWraps) != 0 || row.role == SessionRole::kOnce) [[unlikely]] {
    return keys_inside(row, argv);
  }
  return {row.keys, argv};
}

std::optional<std::string_view> first_key(std::string_view packed_command) {
  PackedCommand command;
  if (!unpack_command(packed_command, command)) {
    return std::nullopt;
  }
  if (command.kind == PackedKind::kTransaction) {
    return command.commands.empty() ? std::nullopt : first_key(command.commands[0]);
  }
  const Resolved found = resolve_command(command.args, kAnyVersion);
  return found.row == nullptr ? std::nullopt : keys_of(*found.row, command.args).first();
}

}  // namespace kiwi::resp
