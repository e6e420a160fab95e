// What protects a link between nodes, without a socket: the talk of two nodes through two TLS
// engines, and everybody who must not get through.
#include <filesystem>

#include <doctest/doctest.h>

#include "actors/peers/peer_handshake.hpp"
#include "actors/peers/peer_security.hpp"
#include "config/limits.hpp"
#include "tls_pair.hpp"

namespace kiwi::actors {
namespace {

constexpr char kSecret[] = "the secret of this cluster";
constexpr char kNewSecret[] = "the next secret of this cluster";
constexpr char kLabel[] = "EXPORTER-kiwi-peer";

config::Options options_with(const std::string& secret, const std::string& also = {}) {
  config::Options options;
  options.raft_cluster_secret = secret;
  options.raft_cluster_secret_also = also;
  return options;
}

PeerSecurityPtr security_of(const config::Options& options) {
  Result<PeerSecurityPtr> made = make_peer_security(options);
  REQUIRE_MESSAGE(made, (made ? "" : made.error().text));
  return *made;
}

PeerHandshake::Options talk_of(uint64_t self, const PeerSecurity& security) {
  PeerHandshake::Options options{NodeId{self}, security.secret,
                                 [](NodeId id) { return id.value <= 3; },
                                 std::string(kNonceBytes, static_cast<char>(self))};
  options.secret_also = security.secret_also;
  options.speaks_tls = security.accepts != nullptr;
  return options;
}

// Node 1 dials node 2; each end is bound to the channel that it is given.
struct Talk {
  Talk(const PeerSecurity& dials, const PeerSecurity& accepts, PeerChannel here, PeerChannel there)
      : dialer(PeerHandshake::dialer(talk_of(1, dials), NodeId{2}, std::string(16, 't'))),
        acceptor(PeerHandshake::acceptor(talk_of(2, accepts))) {
    dialer.bind(std::move(here));
    acceptor.bind(std::move(there));
    for (int i = 0; i < 10; ++i) {
      for (const std::string& frame : dialer.take_frames()) {
        acceptor.receive(frame);
      }
      for (const std::string& frame : acceptor.take_frames()) {
        dialer.receive(frame);
      }
    }
  }
  bool proven() const { return dialer.proven() && acceptor.proven(); }

  PeerHandshake dialer;
  PeerHandshake acceptor;
};

PeerChannel channel_of(const TlsEngine& engine) {
  return {engine.exporter(kLabel, kBindingBytes), engine.peer_uris()};
}

config::Options with_certificate(config::Options options,
                                 const Authority& authority,
                                 const CertificateFiles& files) {
  options.raft_tls_cert_file = files.cert;
  options.raft_tls_key_file = files.key;
  options.raft_tls_ca_cert_file = authority.cert();
  return options;
}

}  // namespace

TEST_CASE("one secret is one key on every node, another one another key and another name") {
  const TlsPsk key = derive_psk(kSecret);
  CHECK(key.key.size() == kTlsPskKeyBytes);
  CHECK(derive_psk(kSecret).key == key.key);
  CHECK(derive_psk(kSecret).identity == key.identity);
  const TlsPsk other = derive_psk(kNewSecret);
  CHECK(other.key != key.key);
  CHECK(other.identity != key.identity);
}

TEST_CASE("the secret alone encrypts, and no plain link is taken [F51]") {
  const PeerSecurityPtr security = security_of(options_with(kSecret));
  REQUIRE(security->encrypts());
  CHECK_FALSE(security->accepts_plain);
  TlsPair pair(security->dials, security->accepts);
  pair.talk();
  REQUIRE(pair.open());
  CHECK(pair.server.proof() == TlsProof::kPsk);
  CHECK(Talk(*security, *security, channel_of(pair.client), channel_of(pair.server)).proven());
}

TEST_CASE("without a secret and a certificate links are plain, and that is said") {
  const PeerSecurityPtr security = security_of({});
  CHECK_FALSE(security->encrypts());
  CHECK(security->accepts == nullptr);
  CHECK(has(weakness_of(*security), "not encrypted"));
  CHECK(weakness_of(*security_of(options_with(kSecret))).empty());
  CHECK(has(weakness_of(*security_of(options_with("short"))), "shorter than 16"));
}

TEST_CASE("a wrong secret ends in the handshake of TLS, before a word of the nodes") {
  TlsPair pair(security_of(options_with("not the secret at all"))->dials,
               security_of(options_with(kSecret))->accepts);
  pair.talk();
  CHECK(pair.server.state() == TlsState::kFailed);
  CHECK(pair.client.state() == TlsState::kFailed);
  CHECK(has(pair.server.error(), "no key that is known here"));
}

TEST_CASE("while a secret is changed every order of the nodes goes on linking") {
  const PeerSecurityPtr steps[] = {
      security_of(options_with(kSecret)), security_of(options_with(kSecret, kNewSecret)),
      security_of(options_with(kNewSecret, kSecret)), security_of(options_with(kNewSecret))};
  for (size_t i = 0; i + 1 < std::size(steps); ++i) {
    for (const auto& [a, b] : {std::pair(i, i + 1), std::pair(i + 1, i), std::pair(i, i)}) {
      CAPTURE(a);
      CAPTURE(b);
      TlsPair pair(steps[a]->dials, steps[b]->accepts);
      pair.talk();
      REQUIRE(pair.open());
      CHECK(Talk(*steps[a], *steps[b], channel_of(pair.client), channel_of(pair.server)).proven());
      CHECK(Talk(*steps[a], *steps[b], {}, {}).dialer.failure().empty());
    }
  }
  TlsPair apart(steps[3]->dials, steps[0]->accepts);
  apart.talk();
  CHECK_FALSE(apart.open());
}

TEST_CASE("who ends the TLS connection in the middle cannot pass the proof on") {
  Authority authority;
  const CertificateFiles files = authority.sign();
  const PeerSecurityPtr node =
      security_of(with_certificate(options_with(kSecret), authority, files));
  // The relay has a good certificate, and no secret: two connections, and frames between them.
  TlsPair to_relay(node->dials, node->accepts, "localhost");
  TlsPair from_relay(node->dials, node->accepts, "localhost");
  to_relay.talk();
  from_relay.talk();
  REQUIRE(to_relay.open());
  REQUIRE(from_relay.open());
  const Talk relayed(*node, *node, channel_of(to_relay.client), channel_of(from_relay.server));
  CHECK_FALSE(relayed.acceptor.proven());
  CHECK_FALSE(relayed.dialer.proven());
  CHECK(has(relayed.acceptor.failure(), "not the other end of this TLS connection"));
  CHECK(Talk(*node, *node, channel_of(to_relay.client), channel_of(to_relay.server)).proven());
}

TEST_CASE("encryption that both ends wanted and that is not there was taken away") {
  config::Options options = options_with(kSecret);
  options.raft_tls_enabled = config::PeerTls::kPrefer;
  const PeerSecurityPtr prefers = security_of(options);
  CHECK(prefers->accepts_plain);
  CHECK(prefers->dials_plain_again);
  const Talk stripped(*prefers, *prefers, {}, {});
  CHECK_FALSE(stripped.acceptor.proven());
  CHECK(has(stripped.acceptor.failure(), "takes the encryption away"));
  // An older build speaks none, in either place.
  const PeerSecurityPtr older = plain_peer_security(kSecret);
  CHECK(Talk(*prefers, *older, {}, {}).proven());
  CHECK(Talk(*older, *prefers, {}, {}).proven());
}

TEST_CASE("a certificate of another authority, one that is over, or one of another name") {
  Authority authority;
  Authority stranger("another authority");
  const PeerSecurityPtr node =
      security_of(with_certificate(options_with(kSecret), authority, authority.sign()));
  const auto refused = [&](const CertificateFiles& files, const std::string& name) {
    const PeerSecurityPtr other =
        security_of(with_certificate(options_with(kSecret), authority, files));
    TlsPair pair(node->dials, other->accepts, name);
    pair.talk();
    CHECK_FALSE(pair.open());
    return pair.client.error();
  };
  CertificateWish over;
  over.begins_s = -7200;
  over.ends_s = -3600;
  CHECK(has(refused(stranger.sign(), "localhost"), "certificate is refused"));
  CHECK(has(refused(authority.sign(over), "localhost"), "expired"));
  CHECK_FALSE(refused(authority.sign(), "elsewhere.example").empty());
}

TEST_CASE("a certificate that names a node is good for that node only") {
  const PeerSecurityPtr security = security_of(options_with(kSecret));
  const std::string same(kBindingBytes, 'b');
  const auto talk = [&](std::vector<std::string> of_the_dialer,
                        std::vector<std::string> of_the_acceptor) {
    return Talk(*security, *security, {same, std::move(of_the_acceptor)},
                {same, std::move(of_the_dialer)});
  };
  CHECK(talk({"kiwi:node:1"}, {"kiwi:node:2"}).proven());
  CHECK(talk({"https://example.com", "kiwi:node:3", "kiwi:node:1"}, {}).proven());
  CHECK(has(talk({"kiwi:node:3"}, {}).acceptor.failure(), "another node's"));
  CHECK(has(talk({}, {"kiwi:node:21"}).dialer.failure(), "another node's"));
}

TEST_CASE("what nobody changed is known as the same, and a file that was replaced is not") {
  Authority authority;
  const CertificateFiles files = authority.sign();
  const config::Options options = with_certificate(options_with(kSecret), authority, files);
  const std::string before = security_of(options)->made_of;
  CHECK(security_of(options)->made_of == before);
  config::Options prefers = options;
  prefers.raft_tls_enabled = config::PeerTls::kPrefer;
  CHECK(security_of(prefers)->made_of != before);
  CHECK(
      security_of(with_certificate(options_with(kSecret, kNewSecret), authority, files))->made_of !=
      before);
  // Another certificate and its key at the same paths.
  const CertificateFiles next = authority.sign();
  const auto replace = std::filesystem::copy_options::overwrite_existing;
  std::filesystem::copy_file(next.cert, files.cert, replace);
  std::filesystem::copy_file(next.key, files.key, replace);
  CHECK(security_of(options)->made_of != before);
}

TEST_CASE("a certificate's end is told 30 days ahead, and where there is none nothing is") {
  Authority authority;
  CertificateWish wish;
  wish.ends_s = 100 * 86'400;
  const PeerSecurityPtr security =
      security_of(with_certificate(options_with(kSecret), authority, authority.sign(wish)));
  const int64_t ends_s = security->accepts->certificate().expires_s;
  CHECK(end_of_certificate(*security, ends_s - 30 * 86'400).empty());
  CHECK(has(end_of_certificate(*security, ends_s - 30 * 86'400 + 1), "expires in 29 days"));
  CHECK(has(end_of_certificate(*security, ends_s), "has expired"));
  CHECK(end_of_certificate(*security_of(options_with(kSecret)), ends_s).empty());
  CHECK(end_of_certificate(*security_of({}), ends_s).empty());
}

TEST_CASE("options that are half of something are refused in one sentence") {
  config::Options options;
  options.raft_tls_cert_file = "/nowhere.crt";
  CHECK(has(make_peer_security(options).error().text, "raft.tls-ca-cert-file"));
  options = {};
  options.raft_tls_ca_cert_file = "/nowhere.crt";
  CHECK(has(make_peer_security(options).error().text, "raft.tls-cert-file is not set"));
  options = {};
  options.raft_cluster_secret_also = kNewSecret;
  CHECK(has(make_peer_security(options).error().text, "raft.cluster-secret is not"));
}

}  // namespace kiwi::actors
