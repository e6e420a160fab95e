// Verbs about messages: deliver, drop, repeat, queue, stabilize, link-up, link-down.
#include <algorithm>
#include <stdexcept>

#include "tests/raft/trace_env.hpp"
#include "tests/support/raft_text.hpp"

namespace kiwi::raft::testing {

namespace {

// [from=1] [to=2] [type=AppendEntries] [count=n] [last]
bool selects(const Command& command, const Message& message) {
  if (command.named.contains("from") && command.number("from") != message.from.value) {
    return false;
  }
  if (command.named.contains("to") && command.number("to") != message.to.value) {
    return false;
  }
  auto type = command.named.find("type");
  if (type == command.named.end()) {
    return true;
  }
  std::string text = text_of(message);
  return text.substr(0, text.find(' ')) == type->second;
}

// Takes the selected messages out of the network; keep: copies them.
std::vector<Message> take(TraceEnv& env, const Command& command, bool keep) {
  std::vector<Message> taken;
  std::vector<Message> left;
  uint64_t count = command.number("count", UINT64_MAX);
  if (command.has("last")) {
    std::ranges::reverse(env.network);
  }
  for (Message& message : env.network) {
    if (selects(command, message) && taken.size() < count) {
      taken.push_back(message);
      if (!keep) {
        continue;
      }
    }
    left.push_back(std::move(message));
  }
  env.network = std::move(left);
  if (command.has("last")) {
    std::ranges::reverse(env.network);
  }
  return taken;
}

void set_link(TraceEnv& env, NodeId a, NodeId b, bool up) {
  for (auto [here, there] : {std::pair{a, b}, std::pair{b, a}}) {
    auto it = env.nodes.find(here);
    if (it == env.nodes.end() || !it->second.core) {
      continue;
    }
    if (up) {
      it->second.core->link_up(there);
    } else {
      it->second.core->link_down(there);
    }
    env.settle(here);
  }
}

}  // namespace

bool run_network_verb(TraceEnv& env, const Command& command) {
  if (command.verb == "deliver" || command.verb == "repeat") {
    for (const Message& message : take(env, command, command.verb == "repeat")) {
      env.deliver(message);
    }
  } else if (command.verb == "drop") {
    take(env, command, false);
  } else if (command.verb == "queue") {
    for (const Message& message : env.network) {
      env.print(std::to_string(message.from.value) + " -> " + std::to_string(message.to.value) +
                " t" + std::to_string(message.term.value) + " " + text_of(message, env.with_time));
    }
  } else if (command.verb == "stabilize") {
    env.stabilize();
  } else if (command.verb == "link-up") {
    set_link(env, command.node(0), command.node(1), true);
  } else if (command.verb == "link-down") {
    set_link(env, command.node(0), command.node(1), false);
  } else {
    return false;
  }
  return true;
}

}  // namespace kiwi::raft::testing
