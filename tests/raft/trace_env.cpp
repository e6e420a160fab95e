#include "tests/raft/trace_env.hpp"

#include <algorithm>
#include <stdexcept>

#include "tests/support/raft_text.hpp"

namespace kiwi::raft::testing {

Command Command::parse(const std::string& line) {
  std::vector<std::string> tokens;
  std::string token;
  bool quoted = false;
  bool any = false;
  for (char c : line) {
    if (c == '"') {
      quoted = !quoted;
      any = true;
    } else if (c == ' ' && !quoted) {
      if (any) {
        tokens.push_back(token);
      }
      token.clear();
      any = false;
    } else {
      token += c;
      any = true;
    }
  }
  if (any) {
    tokens.push_back(token);
  }
  Command command;
  command.verb = tokens.at(0);
  for (size_t i = 1; i < tokens.size(); ++i) {
    size_t equals = tokens[i].find('=');
    if (equals == std::string::npos) {
      command.words.push_back(tokens[i]);
    } else {
      command.named[tokens[i].substr(0, equals)] = tokens[i].substr(equals + 1);
    }
  }
  return command;
}

bool Command::has(std::string_view word) const {
  return std::ranges::find(words, word) != words.end();
}

NodeId Command::node(size_t position) const { return NodeId{std::stoull(words.at(position))}; }

uint64_t Command::number(const std::string& name, uint64_t otherwise) const {
  auto it = named.find(name);
  return it == named.end() ? otherwise : std::stoull(it->second);
}

std::vector<NodeId> Command::ids(const std::string& name) const {
  std::vector<NodeId> out;
  auto it = named.find(name);
  if (it == named.end()) {
    return out;
  }
  size_t start = 0;
  while (start < it->second.size()) {
    size_t comma = std::min(it->second.find(',', start), it->second.size());
    out.push_back(NodeId{std::stoull(it->second.substr(start, comma - start))});
    start = comma + 1;
  }
  return out;
}

std::string TraceEnv::run(const std::vector<std::string>& lines) {
  out.clear();
  for (const std::string& line : lines) {
    Command command = Command::parse(line);
    bool was_quiet = quiet;
    quiet = quiet || command.has("quiet");
    std::erase(command.words, "quiet");
    run_command(command);
    quiet = was_quiet;
  }
  return out.empty() ? "ok\n" : out;
}

void TraceEnv::run_command(const Command& command) {
  bool known = run_cluster_verb(*this, command) || run_network_verb(*this, command) ||
               run_disk_verb(*this, command) || run_client_verb(*this, command) ||
               run_membership_verb(*this, command) || run_snapshot_verb(*this, command) ||
               run_raw_verb(*this, command);
  if (!known) {
    throw std::runtime_error("unknown verb " + command.verb);
  }
}

void TraceEnv::print(const std::string& line) {
  if (!quiet) {
    out += line + "\n";
  }
}

RaftNode& TraceEnv::node(NodeId id) {
  auto it = nodes.find(id);
  if (it == nodes.end() || !it->second.core) {
    throw std::runtime_error("node " + std::to_string(id.value) + " is not there");
  }
  return it->second;
}

void TraceEnv::settle(NodeId id) {
  RaftNode& at = node(id);
  for (;;) {
    at.core->check_invariants();
    Effects effects = at.core->take_effects();
    at.core->check_invariants();
    if (effects.empty()) {
      return;
    }
    Effects shown = effects;
    if (auto_disk) {
      shown.persist.reset();
    }
    for (const std::string& line : lines_of(id, shown, with_time)) {
      print(line);
    }
    for (Outgoing& outgoing : effects.send) {
      network.push_back(std::move(outgoing.message));
    }
    if (effects.persist) {
      at.writing.emplace_back(std::move(*effects.persist));
    }
    if (effects.cut) {
      at.writing.emplace_back(std::move(*effects.cut));
    }
    if (!effects.apply.empty()) {
      at.applying.push_back(std::move(effects.apply));
    }
    for (const LogRead& read : effects.log_reads) {
      at.reads_wanted.push_back(read);
    }
    while (auto_disk && !at.writing.empty()) {
      at.complete_write();
    }
    while (auto_apply && !at.applying.empty()) {
      at.apply_chunk();
    }
  }
}

void TraceEnv::deliver(const Message& message) {
  auto it = nodes.find(message.to);
  if (it == nodes.end() || !it->second.core) {
    return;
  }
  print(std::to_string(message.to.value) + " <- " + std::to_string(message.from.value) + " t" +
        std::to_string(message.term.value) + " " + text_of(message, with_time));
  it->second.core->step(message);
  settle(message.to);
}

void TraceEnv::complete_writes(NodeId id, uint64_t count) {
  RaftNode& at = node(id);
  for (; count > 0 && !at.writing.empty(); --count) {
    at.complete_write();
    settle(id);
  }
}

void TraceEnv::complete_applies(NodeId id) {
  RaftNode& at = node(id);
  while (!at.applying.empty()) {
    at.apply_chunk();
    settle(id);
  }
}

// Until nothing is under way any more. Messages first, as a turn of the real shell has it.
void TraceEnv::stabilize() {
  for (bool busy = true; busy;) {
    busy = !network.empty();
    for (const Message& message : std::exchange(network, {})) {
      deliver(message);
    }
    for (auto& [id, at] : nodes) {
      if (!at.core) {
        continue;
      }
      busy = busy || !at.writing.empty() || !at.applying.empty() || !at.reads_wanted.empty();
      complete_writes(id, UINT64_MAX);
      complete_applies(id);
      while (!at.reads_wanted.empty()) {
        at.answer_log_read();
        settle(id);
      }
    }
  }
}

}  // namespace kiwi::raft::testing
