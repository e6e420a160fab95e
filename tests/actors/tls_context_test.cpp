// Keys agreed on beforehand, sessions, and what a context refuses to be made of.
#include "actors/tls/tls_context.hpp"

#include <ctime>
#include <fstream>
#include <string>

#include <doctest/doctest.h>

#include "actors/tls/tls_engine.hpp"
#include "certificates.hpp"
#include "tls_pair.hpp"

namespace kiwi::actors {

TEST_CASE("a key that both know opens a connection without a certificate, and names itself") {
  TlsPair pair(psk_side(TlsRole::kClient, {psk("one", 'a')}),
               psk_side(TlsRole::kServer, {psk("two", 'b'), psk("one", 'a')}));
  pair.talk();
  REQUIRE(pair.open());
  for (const TlsEngine* side : {&pair.client, &pair.server}) {
    CHECK(side->proof() == TlsProof::kPsk);
    CHECK(side->psk_identity() == "one");
    CHECK(side->version() == "TLSv1.3");
    CHECK_FALSE(side->resumed());
  }
  CHECK(pair.client.exporter("kiwi", 32) == pair.server.exporter("kiwi", 32));
  CHECK(pair.client.exporter("kiwi", 32) != pair.client.exporter("other", 32));
  pair.client.send("hello");
  pair.talk();
  CHECK(pair.at_server == "hello");
}

TEST_CASE("another key, or one that is not known, opens nothing") {
  TlsPair wrong(psk_side(TlsRole::kClient, {psk("one", 'a')}),
                psk_side(TlsRole::kServer, {psk("one", 'b')}));
  wrong.talk();
  CHECK(wrong.server.state() == TlsState::kFailed);
  CHECK_MESSAGE(has(wrong.server.error(), "is not the same"), wrong.server.error());
  CHECK(wrong.client.failure() == TlsFailure::kRefused);
  CHECK(wrong.client.proof() == TlsProof::kNothing);

  TlsPair unknown(psk_side(TlsRole::kClient, {psk("three", 'a')}),
                  psk_side(TlsRole::kServer, {psk("one", 'a')}));
  unknown.talk();
  CHECK(unknown.server.state() == TlsState::kFailed);
  CHECK_MESSAGE(has(unknown.server.error(), "names no key that is known here"),
                unknown.server.error());
  CHECK(unknown.client.failure() == TlsFailure::kRefused);
}

TEST_CASE("who offers a key is not content with a certificate, nor the other way round") {
  Authority authority;
  TlsPair impostor(psk_side(TlsRole::kClient, {psk("one", 'a')}), server_of(authority.sign()));
  impostor.talk();
  CHECK(impostor.client.state() == TlsState::kFailed);
  CHECK(impostor.client.failure() == TlsFailure::kHandshake);

  TlsPair stranger(client_of(authority.cert()), psk_side(TlsRole::kServer, {psk("one", 'a')}));
  stranger.talk();
  CHECK(stranger.server.state() == TlsState::kFailed);
  CHECK(stranger.client.state() == TlsState::kFailed);
}

TEST_CASE("a server with a key and a certificate takes clients with either") {
  Authority authority;
  TlsSettings both = server_of(authority.sign(), authority.cert());
  both.psks = {psk("one", 'a')};
  TlsPair by_key(psk_side(TlsRole::kClient, {psk("one", 'a')}), both);
  by_key.talk();
  REQUIRE(by_key.open());
  CHECK(by_key.server.proof() == TlsProof::kPsk);
  TlsPair by_certificate(client_of(authority.cert(), authority.sign()), both);
  by_certificate.talk();
  REQUIRE(by_certificate.open());
  CHECK(by_certificate.server.proof() == TlsProof::kCertificate);
  TlsPair by_nothing(client_of(authority.cert()), both);
  by_nothing.talk();
  CHECK(by_nothing.server.state() == TlsState::kFailed);
}

TEST_CASE("a context that changes leaves connections alone") {
  Authority old_authority;
  Authority new_authority("the next one");
  TlsContextPtr server = made(server_of(old_authority.sign()));
  TlsPair pair(made(client_of(old_authority.cert())), server);
  pair.talk();
  server = made(server_of(new_authority.sign()));
  pair.client.send("still there");
  pair.talk();
  CHECK(pair.at_server == "still there");
  TlsPair renewed(made(client_of(new_authority.cert())), server);
  renewed.talk();
  CHECK(renewed.open());
}

TEST_CASE("files that are missing or do not fit are named") {
  Authority authority;
  const CertificateFiles files = authority.sign();
  const CertificateFiles others = authority.sign();
  TlsSettings settings = server_of(files);

  settings.cert_file = "/nowhere/kiwi.crt";
  CHECK(has(refusal(settings), "/nowhere/kiwi.crt cannot be read: No such file or directory"));
  settings = server_of({files.cert, others.key});
  CHECK(has(refusal(settings), others.key));
  settings = server_of({files.cert, authority.folder() + "/no.key"});
  CHECK(has(refusal(settings), "/no.key"));
  settings = server_of(files, "/nowhere/ca.crt");
  CHECK(has(refusal(settings), "/nowhere/ca.crt cannot be read"));
  settings = server_of(files, authority.folder() + "/garbage");
  std::ofstream(settings.ca_cert_file) << "no certificate\n";
  CHECK(has(refusal(settings), "/garbage cannot be read"));
  settings = server_of(files);
  settings.dh_params_file = files.cert;
  CHECK(has(refusal(settings), "the DH parameters " + files.cert));
  settings = server_of(files);
  settings.verify = TlsVerify::kRequired;
  CHECK(has(refusal(settings), "no authority is named"));
  settings = server_of({});
  CHECK(has(refusal(settings), "needs a certificate"));
}

TEST_CASE("versions and ciphers that do not exist are refused") {
  Authority authority;
  TlsSettings settings = server_of(authority.sign());
  settings.protocols = "TLSv1.2 TLSv1.4";
  CHECK(has(refusal(settings), "Invalid tls-protocols"));
  settings.protocols = "  TLSv1.2   tlsv1.3 ";
  CHECK(refusal(settings).empty());
  settings.ciphers = "NO-SUCH-CIPHER";
  CHECK(has(refusal(settings), "tls-ciphers"));
  settings.ciphers = "ECDHE+AESGCM";
  settings.ciphersuites = "TLS_NO_SUCH";
  CHECK(has(refusal(settings), "tls-ciphersuites"));
  settings.ciphersuites = "TLS_CHACHA20_POLY1305_SHA256";
  TlsPair pair(client_of(authority.cert()), settings);
  pair.talk();
  REQUIRE(pair.open());
  CHECK(pair.server.cipher() == "TLS_CHACHA20_POLY1305_SHA256");
}

TEST_CASE("a key with a pass needs it, and nobody is asked at the terminal") {
  Authority authority;
  CertificateWish wish;
  wish.pass = "open sesame";
  TlsSettings settings = server_of(authority.sign(wish));
  CHECK(has(refusal(settings), settings.key_file));
  settings.key_file_pass = "wrong";
  CHECK(has(refusal(settings), settings.key_file));
  settings.key_file_pass = wish.pass;
  CHECK(refusal(settings).empty());
}

TEST_CASE("a context tells whose certificate it has and when it expires") {
  Authority authority("the authority");
  CertificateWish wish;
  wish.common_name = "db.example";
  wish.ends_s = 10 * 86400;
  const TlsContextPtr context = made(server_of(authority.sign(wish)));
  CHECK(context->certificate().subject == "CN=db.example");
  CHECK(context->certificate().issuer == "CN=the authority");
  const int64_t left = context->certificate().expires_s - std::time(nullptr);
  CHECK(left > 10 * 86400 - 60);
  CHECK(left <= 10 * 86400);
}

}  // namespace kiwi::actors
