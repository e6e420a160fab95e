#include "resp/slow_log.hpp"

#include <utility>

#include "config/base/check.hpp"
#include "resp/secret_words.hpp"

namespace kiwi::resp {

size_t SlowCommand::bytes() const {
  size_t bytes = sizeof(*this) + address.capacity() + name.capacity();
  for (const std::string& arg : args) {
    bytes += sizeof(arg) + arg.capacity();
  }
  return bytes;
}

std::vector<std::string> SlowLog::shortened(const CommandSpec& row, Args args) {
  const std::vector<bool> secret = secret_words(row, args);
  CHECK_INVARIANT(secret.size() == args.size());
  const size_t kept = args.size() > kArgs ? kArgs - 1 : args.size();
  std::vector<std::string> words;
  words.reserve(kept + 1);
  for (size_t i = 0; i < kept; ++i) {
    const std::string_view word = secret[i] ? kRedacted : args[i];
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
