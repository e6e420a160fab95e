#include "resp/slow_log.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace {

constexpr std::string_view kHidden = "(redacted)";
constexpr std::string_view kSecretOptions[] = {"requirepass", "masterauth", "masteruser",
                                               "raft.cluster-secret"};

bool is_secret_option(std::string_view name) {
  return std::ranges::any_of(kSecretOptions,
                             [&](std::string_view secret) { return same_word(name, secret); });
}

// Which words nobody may read later: passwords, and what goes with them.
std::vector<bool> secrets_of(const CommandSpec& row, Args args) {
  std::vector<bool> secret(args.size());
  const auto hide = [&](size_t from, size_t count) {
    for (size_t i = from; i < args.size() && i < from + count; ++i) {
      secret[i] = true;
    }
  };
  if (row.name == "auth") {
    hide(1, args.size());
  } else if (row.name == "config|set") {
    for (size_t i = 2; i + 1 < args.size(); i += 2) {
      hide(i + 1, is_secret_option(args[i]) ? 1 : 0);
    }
  } else if (row.name == "hello" || row.name == "migrate") {
    const bool hello = row.name == "hello";
    for (size_t i = hello ? 2 : 6; i < args.size() && !same_word(args[i], "keys"); ++i) {
      // HELLO's AUTH and MIGRATE's AUTH2 name the user first.
      const size_t words = same_word(args[i], "auth")    ? (hello ? 2 : 1)
                           : same_word(args[i], "auth2") ? 2
                                                         : 0;
      hide(i + 1, words);
      i += words;
    }
  } else if (row.name == "acl|setuser") {
    hide(3, args.size());
  }
  return secret;
}

}  // namespace

size_t SlowCommand::bytes() const {
  size_t bytes = sizeof(*this) + address.capacity() + name.capacity();
  for (const std::string& arg : args) {
    bytes += sizeof(arg) + arg.capacity();
  }
  return bytes;
}

std::vector<std::string> SlowLog::shortened(const CommandSpec& row, Args args) {
  const std::vector<bool> secret = secrets_of(row, args);
  CHECK_INVARIANT(secret.size() == args.size());
  const size_t kept = args.size() > kArgs ? kArgs - 1 : args.size();
  std::vector<std::string> words;
  words.reserve(kept + 1);
  for (size_t i = 0; i < kept; ++i) {
    const std::string_view word = secret[i] ? kHidden : args[i];
    std::string& out = words.emplace_back(word.substr(0, kArgBytes));
    if (word.size() > kArgBytes) {
      out += "... (" + std::to_string(word.size() - kArgBytes) + " more bytes)";
    }
  }
  if (kept < args.size()) {
    words.push_back("... (" + std::to_string(args.size() - kept) + " more arguments)");
  }
  CHECK_INVARIANT(words.size() <= kArgs);
  return words;
}

void SlowLog::add(SlowCommand command, uint64_t most) {
  CHECK_INVARIANT(command.args.size() <= kArgs);
  command.id = next_id_++;
  bytes_ += command.bytes();
  commands_.push_front(std::move(command));
  while (commands_.size() > most || (bytes_ > kBytes && commands_.size() > 1)) {
    const size_t gone = commands_.back().bytes();
    CHECK_INVARIANT(bytes_ >= gone);
    bytes_ -= gone;
    commands_.pop_back();
  }
}

void SlowLog::clear() {
  commands_.clear();
  bytes_ = 0;
}

}  // namespace kiwi::resp
