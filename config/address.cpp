#include "config/address.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "config/limits.hpp"

namespace kiwi::config {
namespace {

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

Error invalid(std::string text) { return Error{Errc::kInvalid, std::move(text)}; }

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

Result<PeerAddress> parse_peer(std::string_view text) {
  size_t at = text.find('@');
  if (at == std::string_view::npos) {
    return invalid(quoted(text) + " should look like id@host:port, for example 1@127.0.0.1:6379");
  }
  auto id = parse_number<uint64_t>(text.substr(0, at));
  if (!id || *id == 0 || *id > INT64_MAX) {
    return invalid(quoted(text.substr(0, at)) + " is not a node id; ids are whole numbers from 1");
  }
  std::string_view addresses = text.substr(at + 1);
  size_t slash = addresses.find('/');
  Result<HostPort> client = parse_host_port(addresses.substr(0, slash));
  if (!client) {
    return client.error();
  }
  PeerAddress peer{NodeId{*id}, *client, {}};
  if (slash != std::string_view::npos) {
    Result<HostPort> address = parse_host_port(addresses.substr(slash + 1));
    if (!address) {
      return address.error();
    }
    peer.peer = *address;
    return peer;
  }
  if (client->port > UINT16_MAX - kPeerPortOffset) {
    return invalid(quoted(text) + " has no port 10000 above its client port for peers; name one: " +
                   std::string(text) + "/host:port");
  }
  peer.peer = {client->host, static_cast<uint16_t>(client->port + kPeerPortOffset)};
  return peer;
}

}  // namespace

std::string HostPort::text() const {
  bool brackets = host.find(':') != std::string::npos;
  return (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<HostPort> parse_host_port(std::string_view text) {
  size_t colon = text.rfind(':');
  std::string_view host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return invalid(quoted(text) + " needs brackets around its IPv6 address: [address]:port");
  }
  bool odd = host.find_first_of("@/,[] \t\"'") != std::string_view::npos;
  auto port = colon == std::string_view::npos ? std::nullopt
                                              : parse_number<uint16_t>(text.substr(colon + 1));
  if (host.empty() || odd || !port || *port == 0) {
    return invalid(quoted(text) + " is not an address; addresses are host:port, ports 1 to 65535");
  }
  return HostPort{std::string(host), *port};
}

Result<PeerAddress> parse_node_address(std::string_view text) {
  const size_t slash = text.find('/');
  Result<HostPort> client = parse_host_port(text.substr(0, slash));
  if (!client) {
    return client.error();
  }
  PeerAddress address{NodeId{}, *client, {client->host, 0}};
  if (slash != std::string_view::npos) {
    Result<HostPort> peer = parse_host_port(text.substr(slash + 1));
    if (!peer) {
      return peer.error();
    }
    address.peer = *peer;
  } else if (client->port > UINT16_MAX - kPeerPortOffset) {
    return invalid(quoted(text) +
                   " leaves no port 10000 above it for other nodes: add "
                   "/peerhost:peerport");
  } else {
    address.peer.port = static_cast<uint16_t>(client->port + kPeerPortOffset);
  }
  return address;
}

Result<std::vector<PeerAddress>> parse_node_addresses(std::string_view text) {
  std::vector<PeerAddress> addresses;
  for (;;) {
    const size_t comma = text.find(',');
    Result<PeerAddress> address = parse_node_address(text.substr(0, comma));
    if (!address) {
      return address.error();
    }
    addresses.push_back(std::move(*address));
    if (comma == std::string_view::npos) {
      return addresses;
    }
    text.remove_prefix(comma + 1);
  }
}

Result<std::vector<PeerAddress>> parse_peers(std::string_view text) {
  std::vector<PeerAddress> peers;
  while (!text.empty()) {
    size_t comma = text.find(',');
    Result<PeerAddress> peer = parse_peer(text.substr(0, comma));
    if (!peer) {
      return peer.error();
    }
    for (const PeerAddress& other : peers) {
      if (other.id == peer->id) {
        return invalid("node id " + std::to_string(peer->id.value) + " occurs twice");
      }
      if (other.client == peer->client || other.peer == peer->peer) {
        return invalid("nodes " + std::to_string(other.id.value) + " and " +
                       std::to_string(peer->id.value) + " have the same address");
      }
    }
    peers.push_back(std::move(*peer));
    if (comma != std::string_view::npos && comma + 1 == text.size()) {
      return invalid("there is a comma too many at its end");
    }
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
  }
  if (peers.size() > limits::kMembers) {
    return invalid("it names " + std::to_string(peers.size()) + " nodes, at most " +
                   std::to_string(limits::kMembers) + " can be");
  }
  std::ranges::sort(peers, {}, &PeerAddress::id);
  return peers;
}

std::string format_peers(const std::vector<PeerAddress>& peers) {
  std::string out;
  for (const PeerAddress& peer : peers) {
    out += out.empty() ? "" : ",";
    out += std::to_string(peer.id.value) + "@" + peer.client.text();
    if (peer.peer.host != peer.client.host ||
        peer.peer.port != peer.client.port + kPeerPortOffset) {
      out += "/" + peer.peer.text();
    }
  }
  return out;
}

}  // namespace kiwi::config
