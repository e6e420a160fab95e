// Two engines that talk to each other in memory: what works, and every way in which it must not.
#include "actors/tls/tls_engine.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "actors/tls/tls_context.hpp"
#include "certificates.hpp"
#include "tls_pair.hpp"

namespace kiwi::actors {
TEST_CASE("two engines agree, and what one sends the other gets, in portions of any size") {
  Authority authority;
  const TlsContextPtr server = made(server_of(authority.sign()));
  const TlsContextPtr client = made(client_of(authority.cert()));
  std::string text;
  for (int i = 0; i < 40'000; ++i) {
    text += std::to_string(i);
  }
  for (const size_t portion : {size_t{1}, size_t{7}, size_t{5000}, SIZE_MAX}) {
    TlsPair pair(client, server, "localhost");
    pair.talk(portion);
    REQUIRE(pair.open());
    CHECK(pair.client.version() == "TLSv1.3");
    CHECK(pair.client.proof() == TlsProof::kCertificate);
    CHECK(pair.server.proof() == TlsProof::kNothing);
    CHECK(pair.client.peer_common_name() == "localhost");
    pair.client.send("SET a b\r\n");
    pair.server.send(text);
    CHECK_FALSE(has(pair.client.take_output(), "SET"));
    pair.client.send("GET a\r\n");
    pair.talk(portion);
    // The record that was thrown away is missed.
    CHECK(pair.server.state() == TlsState::kFailed);
    CHECK((pair.at_client == text));
  }
}

TEST_CASE("what is sent travels in order and the end is told apart from a cut") {
  Authority authority;
  TlsPair pair(client_of(authority.cert()), server_of(authority.sign()));
  pair.talk();
  pair.client.send("one ");
  pair.client.send("two");
  pair.client.finish();
  pair.client.finish();
  pair.talk();
  CHECK(pair.at_server == "one two");
  CHECK(pair.server.state() == TlsState::kEnded);
  CHECK(pair.server.end_of_input() == TlsState::kEnded);
  pair.server.send("an answer");  // the other direction is still open
  pair.talk();
  CHECK(pair.at_client == "an answer");
  CHECK(pair.client.end_of_input() == TlsState::kFailed);
  CHECK(pair.client.failure() == TlsFailure::kCutOff);
}

TEST_CASE("what leaves by output() is what take_output() gives, each byte once") {
  Authority authority;
  TlsPair pair(client_of(authority.cert()), server_of(authority.sign()));
  pair.talk();
  std::string sent;
  for (const size_t size : {size_t{1}, size_t{100}, size_t{300'000}}) {
    pair.client.send(std::string(size, 'x'));
    sent += pair.client.output();
    pair.client.output_taken();
    CHECK_FALSE(pair.client.has_output());
  }
  std::string plain;
  CHECK(pair.server.receive(sent, plain) == TlsState::kOpen);
  CHECK(plain == std::string(300'101, 'x'));
}

TEST_CASE("a handshake that is cut off has failed") {
  Authority authority;
  TlsEngine server(made(server_of(authority.sign())));
  TlsEngine client(made(client_of(authority.cert())));
  std::string plain;
  const std::string hello = client.take_output();
  CHECK(server.receive(std::string_view(hello).substr(0, hello.size() - 1), plain) ==
        TlsState::kHandshake);
  CHECK(server.end_of_input() == TlsState::kFailed);
  CHECK(server.failure() == TlsFailure::kCutOff);
  CHECK(has(server.error(), "in the middle of the handshake"));
}

TEST_CASE("TLS 1.2 works, and only if both allow it") {
  Authority authority;
  TlsSettings server = server_of(authority.sign());
  TlsSettings client = client_of(authority.cert());
  client.protocols = "TLSv1.2";
  TlsPair old(client, server);
  old.talk();
  REQUIRE(old.open());
  CHECK(old.server.version() == "TLSv1.2");
  server.protocols = "tlsv1.3";
  TlsPair refused(client, server);
  refused.talk();
  CHECK(refused.server.state() == TlsState::kFailed);
  CHECK(refused.server.failure() == TlsFailure::kHandshake);
  CHECK(refused.client.failure() == TlsFailure::kRefused);
  CHECK(has(refused.client.error(), "protocol version"));
}

TEST_CASE("plain text is told apart at its first byte") {
  Authority authority;
  for (const std::string& text : std::vector<std::string>{
           "PING\r\n", "*1\r\n$4\r\nPING\r\n", "GET / HTTP/1.1\r\n", std::string(2, '\0')}) {
    TlsEngine server(made(server_of(authority.sign())));
    std::string plain;
    CHECK(server.receive(text, plain) == TlsState::kFailed);
    CHECK(server.failure() == TlsFailure::kNotTls);
    CHECK(plain.empty());
    CHECK_FALSE(server.has_output());
  }
  TlsEngine client(made(client_of(authority.cert())));
  std::string plain;
  CHECK(client.receive("-ERR this is no TLS\r\n", plain) == TlsState::kFailed);
  CHECK(client.failure() == TlsFailure::kNotTls);
}

TEST_CASE("the server's certificate: another authority, another name, expired, not valid yet") {
  Authority authority;
  Authority stranger("somebody else");
  struct Case {
    CertificateWish wish;
    std::string trusted;
    std::string name;
    std::string error;
  };
  CertificateWish expired;
  expired.begins_s = -7200;
  expired.ends_s = -3600;
  CertificateWish early;
  early.begins_s = 3600;
  const std::vector<Case> cases = {
      {{}, stranger.cert(), "localhost", "unable to get local issuer certificate"},
      {{}, authority.cert(), "example.org", "hostname mismatch"},
      {{}, authority.cert(), "127.0.0.2", "IP address mismatch"},
      {expired, authority.cert(), "localhost", "certificate has expired"},
      {early, authority.cert(), "localhost", "certificate is not yet valid"},
  };
  for (const Case& c : cases) {
    TlsPair pair(client_of(c.trusted), server_of(authority.sign(c.wish)), c.name);
    pair.talk();
    CHECK(pair.client.state() == TlsState::kFailed);
    CHECK(pair.client.failure() == TlsFailure::kHandshake);
    CHECK_MESSAGE(has(pair.client.error(), c.error), pair.client.error());
    CHECK(pair.server.state() == TlsState::kFailed);
    CHECK(pair.server.failure() == TlsFailure::kRefused);
  }
  TlsPair by_address(client_of(authority.cert()), server_of(authority.sign()), "127.0.0.1");
  by_address.talk();
  CHECK(by_address.open());
}

TEST_CASE("clients' certificates: asked for, optional, of another authority, expired") {
  Authority authority;
  Authority stranger("somebody else");
  CertificateWish alice;
  alice.common_name = "alice";
  alice.other_names = "URI:kiwi:node:7,DNS:alice.example";
  CertificateWish expired = alice;
  expired.begins_s = -7200;
  expired.ends_s = -3600;
  TlsSettings server = server_of(authority.sign(), authority.cert());

  TlsPair mutual(client_of(authority.cert(), authority.sign(alice)), server);
  mutual.talk();
  REQUIRE(mutual.open());
  CHECK(mutual.server.proof() == TlsProof::kCertificate);
  CHECK(mutual.server.peer_common_name() == "alice");
  CHECK(mutual.server.peer_uris() == std::vector<std::string>{"kiwi:node:7"});
  CHECK(mutual.server.peer_subject() == "CN=alice");

  TlsPair without(client_of(authority.cert()), server);
  without.talk();
  CHECK(without.server.state() == TlsState::kFailed);
  CHECK_MESSAGE(has(without.server.error(), "did not return a certificate"),
                without.server.error());
  CHECK(without.client.failure() == TlsFailure::kRefused);

  server.verify = TlsVerify::kOptional;
  TlsPair optional(client_of(authority.cert()), server);
  optional.talk();
  CHECK(optional.open());
  CHECK(optional.server.proof() == TlsProof::kNothing);
  CHECK(optional.server.peer_common_name().empty());
  TlsPair foreign(client_of(authority.cert(), stranger.sign(alice)), server);
  foreign.talk();
  CHECK(foreign.server.state() == TlsState::kFailed);
  CHECK(has(foreign.server.error(), "unable to get local issuer certificate"));
  TlsPair late(client_of(authority.cert(), authority.sign(expired)), server);
  late.talk();
  CHECK(late.server.state() == TlsState::kFailed);
  CHECK(has(late.server.error(), "certificate has expired"));
}

TEST_CASE("any byte flipped on the way ends the connection, and nothing of it is delivered") {
  Authority authority;
  const TlsContextPtr server = made(server_of(authority.sign()));
  const TlsContextPtr client = made(client_of(authority.cert()));
  for (size_t at = 0; at < 40; ++at) {
    TlsPair pair(client, server);
    pair.talk();
    REQUIRE(pair.open());
    pair.client.send("SET balance 100\r\n");  // a record of 5 + 17 + 17 bytes
    std::string bytes = pair.client.take_output();
    bytes[at % bytes.size()] = static_cast<char>(bytes[at % bytes.size()] ^ 0x20);
    bytes += std::string(40'000, 'x');  // a length that was flipped gets its bytes
    pair.server.receive(bytes, pair.at_server);
    CHECK(pair.server.state() == TlsState::kFailed);
    CHECK(pair.server.failure() == TlsFailure::kDamaged);
    CHECK(pair.at_server.empty());
    CHECK(pair.server.has_output());  // it says so
  }
}

TEST_CASE("a byte flipped in a handshake never ends in an open connection of both") {
  Authority authority;
  const TlsContextPtr server = made(psk_side(TlsRole::kServer, {psk("one", 'k')}));
  const TlsContextPtr client = made(psk_side(TlsRole::kClient, {psk("one", 'k')}));
  size_t hello_size = 0;
  {
    TlsEngine probe(client);
    hello_size = probe.output_bytes();
  }
  for (size_t at = 0; at < hello_size; ++at) {
    if (at == 2) {
      continue;  // the record's minor version, which is to be ignored (RFC 8446 5.1)
    }
    TlsPair pair(client, server);
    std::string hello = pair.client.take_output();
    hello[at % hello.size()] = static_cast<char>(hello[at % hello.size()] ^ 1);
    pair.server.receive(hello, pair.at_server);
    pair.talk();
    CHECK_FALSE(pair.open());
  }
}

TEST_CASE("a record that is replayed or left out ends the connection") {
  Authority authority;
  const TlsContextPtr server = made(server_of(authority.sign()));
  const TlsContextPtr client = made(client_of(authority.cert()));
  TlsPair replay(client, server);
  replay.talk();
  replay.client.send("INCR a\r\n");
  const std::string record = replay.client.take_output();
  replay.server.receive(record, replay.at_server);
  CHECK(replay.at_server == "INCR a\r\n");
  replay.server.receive(record, replay.at_server);
  CHECK(replay.at_server == "INCR a\r\n");
  CHECK(replay.server.failure() == TlsFailure::kDamaged);
}

TEST_CASE("a key that has sent enough is changed, and nobody above notices") {
  Authority authority;
  TlsSettings wearing = client_of(authority.cert());
  wearing.key_bytes_max = 1000;
  TlsPair pair(wearing, server_of(authority.sign()));
  pair.talk();
  REQUIRE(pair.open());
  std::string said;
  for (int i = 0; i < 50; ++i) {
    const std::string part(100, static_cast<char>('a' + i % 26));
    said += part;
    pair.client.send(part);
    if (i % 3 == 0) {
      pair.talk(7);
      pair.server.send("answer");
    }
  }
  pair.talk();
  CHECK(pair.client.key_changes() == 4);
  CHECK(pair.server.key_changes() == 0);
  CHECK(pair.at_server == said);
  CHECK(pair.at_client.size() == 17 * std::string_view("answer").size());
  CHECK(pair.open());

  wearing.protocols = "TLSv1.2";  // it has no such word
  TlsPair old(wearing, server_of(authority.sign()));
  old.talk();
  REQUIRE(old.open());
  old.client.send(std::string(2000, 'x'));
  old.client.send("y");
  old.talk();
  CHECK(old.client.key_changes() == 0);
  CHECK(old.at_server.size() == 2001);
}

TEST_CASE("a client cannot have the keys of TLS 1.2 negotiated anew") {
  Authority authority;
  TlsSettings settings = client_of(authority.cert());
  settings.protocols = "TLSv1.2";
  TlsPair pair(settings, server_of(authority.sign()));
  pair.talk();
  REQUIRE(pair.open());
  // A hello inside a connection that is open needs a library that sends one. What the server would
  // read is a handshake record that does not decrypt, which ends it as any other damage.
  TlsEngine again(made(settings));
  pair.server.receive(again.take_output(), pair.at_server);
  CHECK(pair.server.state() == TlsState::kFailed);
  CHECK(pair.at_server.empty());
}

TEST_CASE("random bytes behind a plausible beginning end every engine and leave it small") {
  Authority authority;
  const TlsContextPtr server = made(server_of(authority.sign()));
  uint64_t seed = 88172645463325252ULL;
  for (int round = 0; round < 500; ++round) {
    TlsEngine engine(server);
    std::string bytes = {'\x16', '\x03', '\x01'};
    for (int i = 0; i < 20'000; ++i) {
      seed ^= seed << 13;
      seed ^= seed >> 7;
      seed ^= seed << 17;
      bytes.push_back(static_cast<char>(seed));
    }
    std::string plain;
    engine.receive(bytes, plain);
    CHECK(engine.state() == TlsState::kFailed);
    CHECK(plain.empty());
    CHECK(engine.output_bytes() < 1024);
    CHECK_FALSE(engine.error().empty());
  }
}

}  // namespace kiwi::actors
