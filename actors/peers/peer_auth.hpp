// The proof that a peer knows the cluster's secret: HMAC-SHA256 over everything the two agreed on.
// Plain functions over OpenSSL; no state.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kiwi::actors {

// ON THE WIRE: the versions of what nodes say to each other that this build speaks. Two nodes speak
// the highest that both know. `max` is to be raised with every change of it
// (tests/actors/wire_version_test.cpp).
struct ProtocolRange {
  uint16_t min = 0;
  uint16_t max = 0;
};
constexpr ProtocolRange kPeerProtocols{8, 8};
constexpr size_t kNonceBytes = 32;
constexpr size_t kProofBytes = 32;

enum class Side : uint8_t { kDialer = 1, kAcceptor = 2 };

// The connection that two nodes talk over, as far as it says something of them.
struct PeerChannel {
  // Of TLS: both ends compute the same bytes, and nobody between them can (RFC 5705). Empty: the
  // connection is plain text.
  std::string binding;
  std::vector<std::string> uris;  // among the other names of the peer's certificate
};
constexpr size_t kBindingBytes = 32;

// What the two said before they prove themselves, nonces, ids and versions: a proof is of all of
// it, so nobody between them changes a bit of it. It is of the TLS connection as well, so nobody
// who ends that connection and begins another one passes it on. The side keeps a proof from being
// played back to its maker.
struct Opening {
  std::string open;          // body of kOpen
  std::string challenge;     // body of kChallenge
  std::string binding = {};  // PeerChannel's
};

std::string prove(std::string_view secret, Side side, const Opening& opening);
bool same_bytes(std::string_view a, std::string_view b);  // in constant time
std::string random_nonce(size_t bytes = kNonceBytes);
std::string hex_of_random(size_t bytes);  // of so many

}  // namespace kiwi::actors
