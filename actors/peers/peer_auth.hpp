// The proof that a peer knows the cluster's secret: HMAC-SHA256 over everything the two agreed on.
// Plain functions over OpenSSL; no state.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/base/ids.hpp"

namespace kiwi::actors {

// ON THE WIRE; a node talks to its own version only. To be raised with every change of what nodes
// say to each other (tests/actors/wire_version_test.cpp).
constexpr uint16_t kPeerProtocol = 4;
constexpr size_t kNonceBytes = 32;
constexpr size_t kProofBytes = 32;

enum class Side : uint8_t { kDialer = 1, kAcceptor = 2 };

// What both nonces and ids are bound into; the side keeps a proof from being played back to its
// maker.
struct Challenge {
  NodeId dialer;
  NodeId acceptor;
  std::string dialer_nonce;
  std::string acceptor_nonce;
};

std::string prove(std::string_view secret, Side side, const Challenge& challenge);
bool same_bytes(std::string_view a, std::string_view b);  // in constant time
std::string random_nonce(size_t bytes = kNonceBytes);

}  // namespace kiwi::actors
