#include "resp/maintenance.hpp"

#include <utility>

#include "config/base/check.hpp"
#include "resp/resp_writer.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace {

constexpr std::string_view kShard = "0";
constexpr std::pair<std::string_view, Endpoint> kEndpoints[] = {
    {"internal-ip", Endpoint::kInternalIp},
    {"external-ip", Endpoint::kExternalIp},
    {"internal-fqdn", Endpoint::kInternalFqdn},
    {"external-fqdn", Endpoint::kExternalFqdn},
    {"none", Endpoint::kNone},
};

template <class Write>
Push message(size_t words, Write write) {
  auto made = std::make_shared<PushMessage>();
  made->kind = PushMessage::Kind::kMaintenance;
  RespWriter writer(&made->push, 3);
  writer.push(words);
  write(writer);
  return made;
}

}  // namespace

std::optional<Endpoint> parse_endpoint(std::string_view word) {
  for (const auto& [name, endpoint] : kEndpoints) {
    if (same_word(word, name)) {
      return endpoint;
    }
  }
  return std::nullopt;
}

Push failing_over_message(uint64_t sequence, int64_t seconds) {
  return message(4, [&](RespWriter& writer) {
    writer.bulk("FAILING_OVER");
    writer.integer(static_cast<int64_t>(sequence));
    writer.integer(seconds);
    writer.bulk(kShard);
  });
}

Push failed_over_message(uint64_t sequence) {
  return message(3, [&](RespWriter& writer) {
    writer.bulk("FAILED_OVER");
    writer.integer(static_cast<int64_t>(sequence));
    writer.bulk(kShard);
  });
}

Push moving_message(uint64_t sequence, int64_t seconds, const std::optional<std::string>& address) {
  return message(4, [&](RespWriter& writer) {
    writer.bulk("MOVING");
    writer.integer(static_cast<int64_t>(sequence));
    writer.integer(seconds);
    if (address) {
      writer.bulk(*address);
    } else {
      writer.null();
    }
  });
}

std::optional<Push> FailoverNews::look(const Sight& now, int64_t response_timeout_ms) {
  CHECK_INVARIANT(response_timeout_ms > 0);
  const bool led = now.ready_leader && !now.hands_over;
  knew_leader_ = knew_leader_ || led;
  if (!knew_leader_ || failing_ != led) {
    return std::nullopt;  // nothing is known yet, or it was told
  }
  failing_ = !led;
  constexpr int64_t kSecondMs = 1000;
  return failing_ ? failing_over_message(now.term.value,
                                         (response_timeout_ms + kSecondMs - 1) / kSecondMs)
                  : failed_over_message(now.term.value);
}

const MovingTarget* target_for(const std::vector<MovingTarget>& targets,
                               uint64_t number,
                               std::optional<uint16_t> port) {
  for (size_t i = 0; i < targets.size(); ++i) {
    const MovingTarget& target = targets[(number + i) % targets.size()];
    // Two clients split at the first colon.
    const bool readable = target.port != 0 && target.host.find(':') == std::string::npos;
    if (readable && (!port || target.port == *port)) {
      return &target;
    }
  }
  return nullptr;
}

}  // namespace kiwi::resp
