// Network addresses as options write them: host:port, [v6]:port, and the members of raft.peers.
// Plain values and their parsers; nothing is resolved here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/ids.hpp"
#include "config/base/result.hpp"

namespace kiwi::config {

// A peer port that is not given is the client port plus this.
constexpr uint16_t kPeerPortOffset = 10'000;
constexpr int kHttpPortOffset = 1000;

struct HostPort {
  std::string host;  // without the brackets of an IPv6 address
  uint16_t port = 0;

  std::string text() const;  // host:port, with brackets where the host has a colon
  bool operator==(const HostPort&) const = default;
};

// "host:port" or "[v6 address]:port", port 1..65535. The error is one sentence.
Result<HostPort> parse_host_port(std::string_view text);

// One member of raft.peers: id@host:port[/peerhost:peerport].
struct PeerAddress {
  NodeId id;
  HostPort client;  // where its clients connect; MOVED names it
  HostPort peer;    // where the other nodes dial it; a proxy or NAT may stand there
  bool operator==(const PeerAddress&) const = default;
};

// host:port[/peerhost:peerport], as RAFT.NODE ADD and raft.join take it; id 0.
Result<PeerAddress> parse_node_address(std::string_view text);
// Comma-separated ones, at least one.
Result<std::vector<PeerAddress>> parse_node_addresses(std::string_view text);

// Comma-separated, in any order; the result is ordered by id. Ids and addresses occur once.
Result<std::vector<PeerAddress>> parse_peers(std::string_view text);
std::string format_peers(const std::vector<PeerAddress>& peers);

}  // namespace kiwi::config
