// PeerSecurity: how this node's links to other nodes are protected, from its options: which secret
// it proves and which it accepts, and what TLS both ends of a link speak (SERVICES 6.2-6.5). Never
// changes: whoever rotates a secret or a certificate makes a new one, and links that are older are
// made anew. Any thread.
//
//   secret, no certificate   TLS 1.3 with a key that is derived from the secret, (EC)DHE always: a
//                            secret that leaks later opens no recording
//   certificates             both ends show one that the authority signed; with a secret they prove
//                            that, too, and the proof covers the TLS connection
//   neither                  plain text
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "actors/tls/tls_context.hpp"
#include "config/base/result.hpp"
#include "config/options.hpp"

namespace kiwi::actors {

struct PeerSecurity {
  std::string secret;       // proven to others; empty: any proof with an empty key is one
  std::string secret_also;  // accepted, too, and never used to dial; empty: none
  std::shared_ptr<const TlsContext> dials;    // none: it dials without encryption
  std::shared_ptr<const TlsContext> accepts;  // none: it takes only what is not encrypted
  bool by_certificate = false;  // the node that is dialled must have the name it is dialled by
  bool accepts_plain = true;
  // Who ends the connection at the first byte of TLS is an older build: it is dialled again
  // without.
  bool dials_plain_again = false;

  // A digest of the options that it was made of and of what stood in their files: equal, and
  // nothing has changed.
  std::string made_of;

  std::map<std::string, TlsPsk, std::less<>> keys;  // by secret: deriving one takes 0.1 s

  bool encrypts() const { return dials != nullptr; }
};
using PeerSecurityPtr = std::shared_ptr<const PeerSecurity>;

// Reads the files of certificates. Keys that `former` has are not derived again. An error is one
// sentence.
Result<PeerSecurityPtr> make_peer_security(const config::Options& options,
                                           const PeerSecurityPtr& former = nullptr);
// Without TLS, for one secret.
PeerSecurityPtr plain_peer_security(std::string secret);

// What a warning should say of it; empty: nothing.
std::string weakness_of(const PeerSecurity& security);
// The same of its certificate's end; empty: there is none, or that is more than 30 days away.
std::string end_of_certificate(const PeerSecurity& security, int64_t wall_s);

// The key that a secret stands for, and its name on the wire, which tells nothing of the secret
// that the key would not: both ends must do the same work for a guess.
TlsPsk derive_psk(std::string_view secret);

}  // namespace kiwi::actors
