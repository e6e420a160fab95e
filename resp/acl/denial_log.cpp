#include "resp/acl/denial_log.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"

namespace kiwi::resp::acl {

namespace {

constexpr size_t kLookedAt = 10;  // entries that a new one may be like
constexpr int64_t kAlikeMs = 60'000;

bool alike(const Denial& a, const Denial& b) {
  const int64_t apart_ms = a.at_ms > b.at_ms ? a.at_ms - b.at_ms : b.at_ms - a.at_ms;
  return a.reason == b.reason && a.where == b.where && apart_ms <= kAlikeMs &&
         a.object == b.object && a.user == b.user;
}

}  // namespace

std::string_view Denial::reason_name() const {
  switch (reason) {
    case Denied::kCommand:
      return "command";
    case Denied::kKey:
      return "key";
    case Denied::kLogin:
      return "auth";
    case Denied::kChannel:
      return "channel";
    case Denied::kNothing:
      break;
  }
  return "unknown";
}

std::string_view Denial::where_name() const {
  return where == Where::kTopLevel ? "toplevel" : where == Where::kBlock ? "multi" : "lua";
}

size_t DenialLog::bytes_of(const Denial& denial) {
  return sizeof(Denial) + denial.object.size() + denial.user.size() + denial.client.size();
}

void DenialLog::add(Denial denial, size_t most) {
  CHECK_INVARIANT(denial.reason != Denied::kNothing && denial.count == 1);
  for (std::string* text : {&denial.object, &denial.user, &denial.client}) {
    text->resize(std::min(text->size(), kObjectBytes));  // each is what a client chose to say
  }
  const auto end = entries_.begin() + static_cast<ptrdiff_t>(std::min(kLookedAt, entries_.size()));
  const auto same = std::find_if(entries_.begin(), end,
                                 [&](const Denial& earlier) { return alike(earlier, denial); });
  if (same != end) {
    denial.count += same->count;
    bytes_ -= bytes_of(*same);
    entries_.erase(same);
  }
  bytes_ += bytes_of(denial);
  entries_.push_front(std::move(denial));
  while (entries_.size() > most || (bytes_ > kBytes && entries_.size() > 1)) {
    const size_t gone = bytes_of(entries_.back());
    CHECK_INVARIANT(bytes_ >= gone);
    bytes_ -= gone;
    entries_.pop_back();
  }
}

void DenialLog::clear() {
  entries_.clear();
  bytes_ = 0;
}

}  // namespace kiwi::resp::acl
