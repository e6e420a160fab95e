#include "resp/secret_words.hpp"

#include <algorithm>
#include <span>

#include "config/base/check.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace {

constexpr std::string_view kSecretOptions[] = {"requirepass",
                                               "masterauth",
                                               "masteruser",
                                               "raft.cluster-secret",
                                               "tls-key-file-pass",
                                               "tls-client-key-file-pass",
                                               "raft.cluster-secret-also",
                                               "raft.cluster-password",
                                               "raft.reset-default-user"};

bool is_secret_option(std::string_view name) {
  return std::ranges::any_of(kSecretOptions,
                             [&](std::string_view secret) { return same_word(name, secret); });
}

// An option of a command, and the words behind it that belong to it.
struct Option {
  std::string_view name;
  size_t words = 0;
  bool secret = false;
};
constexpr Option kHelloOptions[] = {{"auth", 2, true}, {"setname", 1}};
constexpr Option kMigrateOptions[] = {{"copy"}, {"replace"}, {"auth", 1, true}, {"auth2", 2, true}};

void hide(std::vector<bool>& secret, size_t from, size_t count) {
  for (size_t i = from; i < secret.size() && i - from < count; ++i) {
    secret[i] = true;
  }
}

// Reads the options as the command does: a name that is called "auth" is no option.
void hide_options(std::vector<bool>& secret,
                  Args args,
                  size_t first,
                  std::span<const Option> options,
                  std::string_view stop) {
  for (size_t i = first; i < args.size(); ++i) {
    if (!stop.empty() && same_word(args[i], stop)) {
      return;
    }
    const auto option = std::ranges::find_if(
        options, [&](const Option& each) { return same_word(args[i], each.name); });
    if (option == options.end()) {
      return hide(secret, i, args.size());
    }
    hide(secret, i + 1, option->secret ? option->words : 0);
    i += option->words;
  }
}

}  // namespace

std::vector<bool> secret_words(const CommandSpec& row, Args args) {
  std::vector<bool> secret(args.size());
  if (row.name == "auth") {
    hide(secret, 1, args.size());
  } else if (row.name == "hello") {
    hide_options(secret, args, 2, kHelloOptions, {});
  } else if (row.name == "migrate") {
    hide_options(secret, args, 6, kMigrateOptions, "keys");
  } else if (row.name == "acl|setuser") {
    hide(secret, 3, args.size());
  } else if (row.name == "config|set") {
    for (size_t i = 2; i + 1 < args.size(); i += 2) {
      hide(secret, i + 1, is_secret_option(args[i]) ? 1 : 0);
    }
  }
  CHECK_INVARIANT(secret.size() == args.size() && (secret.empty() || !secret.front()));
  return secret;
}

}  // namespace kiwi::resp
