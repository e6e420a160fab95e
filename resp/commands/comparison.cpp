// kiwi.compare and kiwi.checksum: the members compare their states (types/comparison.hpp).
#include <algorithm>
#include <charconv>
#include <string>

#include "config/base/log.hpp"
#include "raft/codec.hpp"
#include "resp/context.hpp"
#include "resp/numbers.hpp"
#include "rocks/keys.hpp"

namespace kiwi::resp::commands {

namespace {

std::optional<uint64_t> read_number(std::string_view text) {
  uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failed == std::errc() && end == text.data() + text.size() ? std::optional(number)
                                                                   : std::nullopt;
}

// Of the last configuration applied; none while it is joint: the next question has one list.
std::vector<NodeId> voters_now(Context& context) {
  std::string key;
  rocks::keys::configuration_record(key);
  rocks::Writer& state = context.state().effects().writer();
  const auto bytes = state.get(rocks::Family::kSystem, key);
  if (!bytes) {
    return {};
  }
  auto configuration = raft::decode_configuration(*bytes);
  if (!configuration || configuration->is_joint()) {
    return {};
  }
  return configuration->voters;
}

}  // namespace

// Proposed by the leader now and then.
void compare_states(Context& context, Args, ReplyWriter& reply) {
  Database& state = context.state();
  state.comparison().ask(state.effects().checksum());
  reply.ok();
}

// kiwi.checksum index node checksum: what a member's state had at the question in entry `index`.
void claim_checksum(Context& context, Args args, ReplyWriter& reply) {
  const auto index = read_number(args[1]);
  const auto node = read_number(args[2]);
  const auto checksum = read_number(args[3]);
  if (!index || !node || !checksum) {
    return reply.error(texts::kNotInteger);
  }
  Comparison& comparison = context.state().comparison();
  comparison.answer(NodeId{*node}, {LogIndex{*index}, *checksum});
  switch (comparison.judge(voters_now(context))) {
    case Comparison::Verdict::kOpen:
      break;
    case Comparison::Verdict::kThisDiffers:  // the executor sees it
      break;
    case Comparison::Verdict::kOthersDiffer:
      log_error("A member's state differs from that of the majority at log entry " +
                std::to_string(*index) + ": it takes itself out of service");
      break;
    case Comparison::Verdict::kNoMajority:
      log_error("The states of the members differ at log entry " + std::to_string(*index) +
                ", and no majority agrees: take backups of all of them, and tell Kiwi's authors");
      break;
  }
  reply.ok();
}

}  // namespace kiwi::resp::commands
