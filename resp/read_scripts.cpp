#include "resp/read_scripts.hpp"

#include <utility>

#include "config/base/check.hpp"

namespace kiwi::resp {

std::optional<std::string> ReadScripts::find(std::string_view sha1_hex) {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(std::string(sha1_hex));
  if (found == by_name_.end()) {
    return std::nullopt;
  }
  scripts_.splice(scripts_.begin(), scripts_, found->second);
  return scripts_.front().text;
}

void ReadScripts::forget(std::string_view sha1_hex) {
  const std::lock_guard lock(mutex_);
  if (scripts_.empty()) {  // the usual case, once an EVAL
    return;
  }
  const auto found = by_name_.find(std::string(sha1_hex));
  if (found == by_name_.end()) {
    return;
  }
  CHECK_INVARIANT(bytes_ >= found->second->text.size());
  bytes_ -= found->second->text.size();
  scripts_.erase(found->second);
  by_name_.erase(found);
}

void ReadScripts::keep(std::string_view sha1_hex, std::string_view text) {
  if (text.size() > kBytes) {
    return;
  }
  const std::lock_guard lock(mutex_);
  const auto [place, is_new] = by_name_.try_emplace(std::string(sha1_hex));
  if (!is_new) {
    scripts_.splice(scripts_.begin(), scripts_, place->second);
    return;
  }
  scripts_.push_front({std::string(sha1_hex), std::string(text)});
  place->second = scripts_.begin();
  bytes_ += text.size();
  while (scripts_.size() > kScripts || bytes_ > kBytes) {
    CHECK_INVARIANT(bytes_ >= scripts_.back().text.size());
    bytes_ -= scripts_.back().text.size();
    by_name_.erase(scripts_.back().sha1_hex);
    scripts_.pop_back();
  }
  CHECK_INVARIANT(by_name_.size() == scripts_.size());
}

namespace {

std::string reader_name(ReadScripts::Kind kind, std::string_view name) {
  std::string whole(1, static_cast<char>(kind));
  whole += name;
  return whole;
}

}  // namespace

void ReadScripts::keep_reader(Kind kind, std::string_view name) {
  if (name.size() > kReaderBytes) {
    return;
  }
  const std::lock_guard lock(mutex_);
  if (readers_.size() >= kReaders) {
    readers_.clear();
  }
  readers_.insert(reader_name(kind, name));
}

bool ReadScripts::is_reader(Kind kind, std::string_view name) {
  if (name.size() > kReaderBytes) {
    return false;
  }
  const std::lock_guard lock(mutex_);
  return readers_.contains(reader_name(kind, name));
}

void ReadScripts::forget_reader(Kind kind, std::string_view name) {
  const std::lock_guard lock(mutex_);
  readers_.erase(reader_name(kind, name));
}

void ReadScripts::clear() {
  const std::lock_guard lock(mutex_);
  scripts_.clear();
  by_name_.clear();
  readers_.clear();
  bytes_ = 0;
}

}  // namespace kiwi::resp
