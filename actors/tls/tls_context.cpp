#include "actors/tls/tls_context.hpp"

#include <algorithm>
#include <cctype>
#include <ctime>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <utility>

#include "actors/tls/tls_engine.hpp"
#include "actors/tls/tls_errors.hpp"
#include "config/base/check.hpp"

namespace kiwi::actors {

namespace {

using BioPtr = std::unique_ptr<BIO, decltype(&::BIO_free)>;

// The hash of a PSK is that of the ciphers it is used with, and the server looks at its own order
// of ciphers first: with one cipher both sides always agree.
constexpr char kPskCipherSuites[] = "TLS_AES_128_GCM_SHA256";
constexpr unsigned char kPskCipher[] = {0x13, 0x01};

// The context of sessions that may be resumed. Without one a client with a certificate could not
// resume at all. Servers only: a client's session of a PSK has none, and OpenSSL compares the two.
constexpr char kSessionContext[] = "kiwi";

struct Versions {
  bool v12 = false;
  bool v13 = false;
};

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

Result<Versions> parse_versions(std::string_view text) {
  Versions versions;
  std::string_view rest = text;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(' '), rest.size());
    const std::string word = lower(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (word == "tlsv1.2") {
      versions.v12 = true;
    } else if (word == "tlsv1.3") {
      versions.v13 = true;
    } else if (!word.empty()) {
      return Error{
          Errc::kInvalid,
          "Invalid tls-protocols specified. Use a combination of 'TLSv1.2' and 'TLSv1.3'."};
    }
  }
  return versions.v12 || versions.v13 ? versions : Versions{true, true};
}

Error refused(std::string what) {
  return Error{Errc::kInvalid, std::move(what) + ": " + take_tls_error()};
}

// Without it OpenSSL asks at the terminal.
int give_pass(char* buffer, int size, int /*writing*/, void* pass) {
  const auto& text = *static_cast<const std::string*>(pass);
  if (size < 0 || text.size() > static_cast<size_t>(size)) {
    return -1;
  }
  std::ranges::copy(text, buffer);
  return static_cast<int>(text.size());
}

std::string one_line(const X509_NAME* name) {
  const BioPtr out(::BIO_new(::BIO_s_mem()), ::BIO_free);
  if (out == nullptr || name == nullptr ||
      ::X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) < 0) {
    return {};
  }
  const char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return size > 0 ? std::string(text, static_cast<size_t>(size)) : std::string();
}

int64_t unix_time(const ASN1_TIME* time) {
  std::tm parts{};
  return time != nullptr && ::ASN1_TIME_to_tm(time, &parts) == 1 ? ::timegm(&parts) : 0;
}

// A session of its own for each handshake: OpenSSL writes to it.
SSL_SESSION* session_of(SSL* ssl, const TlsPsk& psk) {
  const SSL_CIPHER* cipher = ::SSL_CIPHER_find(ssl, kPskCipher);
  SSL_SESSION* session = ::SSL_SESSION_new();
  if (session == nullptr || cipher == nullptr ||
      ::SSL_SESSION_set1_master_key(session, reinterpret_cast<const unsigned char*>(psk.key.data()),
                                    psk.key.size()) != 1 ||
      ::SSL_SESSION_set_cipher(session, cipher) != 1 ||
      ::SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) != 1) {
    ::SSL_SESSION_free(session);
    return nullptr;
  }
  return session;
}

TlsEngine& engine_of(const SSL* ssl) { return *static_cast<TlsEngine*>(SSL_get_app_data(ssl)); }

int find_psk(SSL* ssl, const unsigned char* identity, size_t size, SSL_SESSION** session) {
  *session = nullptr;  // not known: OpenSSL goes on without, and finds no certificate most likely
  TlsEngine& engine = engine_of(ssl);
  const std::string_view name(reinterpret_cast<const char*>(identity), size);
  for (const TlsPsk& psk : engine.context().psks()) {
    if (psk.identity == name) {
      *session = session_of(ssl, psk);
      engine.psk_chosen(psk.identity);
      return *session != nullptr ? 1 : 0;
    }
  }
  return 1;
}

int use_psk(SSL* ssl,
            const EVP_MD* digest,
            const unsigned char** identity,
            size_t* size,
            SSL_SESSION** session) {
  *session = nullptr;
  TlsEngine& engine = engine_of(ssl);
  const TlsPsk& psk = engine.context().psks().front();
  if (digest != nullptr && ::EVP_MD_get_type(digest) != NID_sha256) {
    return 1;  // the server has chosen a cipher that it does not fit: no PSK
  }
  *session = session_of(ssl, psk);
  *identity = reinterpret_cast<const unsigned char*>(psk.identity.data());
  *size = psk.identity.size();
  engine.psk_chosen(psk.identity);
  return *session != nullptr ? 1 : 0;
}

}  // namespace

Result<void> check_tls_protocols(std::string_view protocols) {
  const Result<Versions> versions = parse_versions(protocols);
  return versions ? Result<void>() : Result<void>(versions.error());
}

TlsContext::TlsContext(TlsSettings settings, SSL_CTX* context)
    : settings_(std::move(settings)), context_(context) {
  CHECK_INVARIANT(context_ != nullptr);
}

TlsContext::~TlsContext() { ::SSL_CTX_free(context_); }

Result<std::shared_ptr<const TlsContext>> TlsContext::make(TlsSettings settings) {
  ::ERR_clear_error();
  SSL_CTX* native = ::SSL_CTX_new(settings.role == TlsRole::kServer ? ::TLS_server_method()
                                                                    : ::TLS_client_method());
  if (native == nullptr) {
    return refused("OpenSSL makes no context");
  }
  const std::shared_ptr<TlsContext> context(new TlsContext(std::move(settings), native));
  const Result<void> done = context->set_up();
  // Not kept longer than the files are read.
  ::SSL_CTX_set_default_passwd_cb_userdata(native, nullptr);
  ::OPENSSL_cleanse(context->settings_.key_file_pass.data(),
                    context->settings_.key_file_pass.size());
  context->settings_.key_file_pass.clear();
  if (!done) {
    return done.error();
  }
  return std::shared_ptr<const TlsContext>(context);
}

Result<void> TlsContext::set_up() {
  for (const TlsPsk& psk : settings_.psks) {
    CHECK_INVARIANT(psk.key.size() == kTlsPskKeyBytes);
    CHECK_INVARIANT(!psk.identity.empty() && psk.identity.size() <= kTlsPskIdentityBytesMax);
  }
  CHECK_INVARIANT(settings_.psks.empty() || !settings_.session_caching);
  if (settings_.role == TlsRole::kServer && settings_.cert_file.empty() && settings_.psks.empty()) {
    return Error{Errc::kInvalid, "a TLS server needs a certificate: no file is named"};
  }
  ::SSL_CTX_set_options(context_, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                      SSL_OP_SINGLE_DH_USE | SSL_OP_SINGLE_ECDH_USE);
  ::SSL_CTX_clear_options(context_, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_ALLOW_NO_DHE_KEX);
  // An idle connection keeps no buffers of records.
  SSL_CTX_set_mode(context_, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY |
                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  ::SSL_CTX_set_default_passwd_cb(context_, give_pass);
  ::SSL_CTX_set_default_passwd_cb_userdata(context_, &settings_.key_file_pass);
  if (Result<void> done = set_up_versions(); !done) {
    return done;
  }
  if (Result<void> done = load_certificate(); !done) {
    return done;
  }
  if (Result<void> done = load_authorities(); !done) {
    return done;
  }
  if (Result<void> done = load_dh_params(); !done) {
    return done;
  }
  set_up_sessions();
  set_up_psk();
  return {};
}

Result<void> TlsContext::set_up_versions() {
  const Result<Versions> versions = parse_versions(settings_.protocols);
  if (!versions) {
    return versions.error();
  }
  const bool only_13 = !settings_.psks.empty() || !versions->v12;
  const bool done =
      SSL_CTX_set_min_proto_version(context_, only_13 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1 &&
      SSL_CTX_set_max_proto_version(
          context_, versions->v13 || only_13 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1;
  CHECK_INVARIANT(done);
  if (!settings_.ciphers.empty() &&
      ::SSL_CTX_set_cipher_list(context_, settings_.ciphers.c_str()) != 1) {
    return refused("tls-ciphers '" + settings_.ciphers + "' names no cipher of TLS 1.2");
  }
  const std::string suites = settings_.psks.empty() ? settings_.ciphersuites : kPskCipherSuites;
  if (!suites.empty() && ::SSL_CTX_set_ciphersuites(context_, suites.c_str()) != 1) {
    return refused("tls-ciphersuites '" + suites + "' names no cipher of TLS 1.3");
  }
  if (settings_.prefer_server_ciphers) {
    ::SSL_CTX_set_options(context_, SSL_OP_CIPHER_SERVER_PREFERENCE);
  }
  return {};
}

Result<void> TlsContext::load_certificate() {
  if (settings_.cert_file.empty()) {
    return {};
  }
  const std::string& key_file =
      settings_.key_file.empty() ? settings_.cert_file : settings_.key_file;
  if (::SSL_CTX_use_certificate_chain_file(context_, settings_.cert_file.c_str()) != 1) {
    return refused("the certificate " + settings_.cert_file + " cannot be read");
  }
  if (::SSL_CTX_use_PrivateKey_file(context_, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return refused("the private key " + key_file + " cannot be used with the certificate " +
                   settings_.cert_file);
  }
  if (::SSL_CTX_check_private_key(context_) != 1) {
    return refused("the private key " + key_file + " does not belong to the certificate " +
                   settings_.cert_file);
  }
  const X509* own = ::SSL_CTX_get0_certificate(context_);
  CHECK_INVARIANT(own != nullptr);
  certificate_.subject = one_line(::X509_get_subject_name(own));
  certificate_.issuer = one_line(::X509_get_issuer_name(own));
  certificate_.expires_s = unix_time(::X509_get0_notAfter(own));
  return {};
}

Result<void> TlsContext::load_authorities() {
  const std::string& file = settings_.ca_cert_file;
  const std::string& dir = settings_.ca_cert_dir;
  if (!file.empty() && ::SSL_CTX_load_verify_file(context_, file.c_str()) != 1) {
    return refused("the authorities' certificates " + file + " cannot be read");
  }
  if (!dir.empty() && ::SSL_CTX_load_verify_dir(context_, dir.c_str()) != 1) {
    return refused("the folder of authorities' certificates " + dir + " cannot be read");
  }
  const bool trusts_nobody = file.empty() && dir.empty();
  const bool psk_client = settings_.role == TlsRole::kClient && !settings_.psks.empty();
  if (settings_.verify != TlsVerify::kNone && trusts_nobody && settings_.psks.empty()) {
    return Error{Errc::kInvalid,
                 "certificates are to be verified, and no authority is named that signs them"};
  }
  int mode = SSL_VERIFY_NONE;
  if (settings_.verify == TlsVerify::kRequired || psk_client) {
    // A client with a PSK and no authority trusts no certificate, so nobody but who knows the key
    // is taken for the server.
    mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  } else if (settings_.verify == TlsVerify::kOptional) {
    mode = SSL_VERIFY_PEER;
  }
  ::SSL_CTX_set_verify(context_, mode, nullptr);
  return {};
}

Result<void> TlsContext::load_dh_params() {
  if (settings_.role == TlsRole::kClient) {
    return {};
  }
  if (settings_.dh_params_file.empty()) {
    SSL_CTX_set_dh_auto(context_, 1);
    return {};
  }
  const BioPtr file(::BIO_new_file(settings_.dh_params_file.c_str(), "r"), ::BIO_free);
  EVP_PKEY* params = file != nullptr ? ::PEM_read_bio_Parameters(file.get(), nullptr) : nullptr;
  if (params == nullptr || ::SSL_CTX_set0_tmp_dh_pkey(context_, params) != 1) {
    ::EVP_PKEY_free(params);
    return refused("the DH parameters " + settings_.dh_params_file + " cannot be used");
  }
  return {};
}

void TlsContext::set_up_sessions() {
  const bool serves = settings_.role == TlsRole::kServer;
  if (serves) {
    const bool done = ::SSL_CTX_set_session_id_context(
                          context_, reinterpret_cast<const unsigned char*>(kSessionContext),
                          sizeof(kSessionContext) - 1) == 1;
    CHECK_INVARIANT(done);
  }
  if (serves && settings_.session_caching) {
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_SERVER);
    SSL_CTX_sess_set_cache_size(context_, static_cast<long>(settings_.session_cache_size));
    ::SSL_CTX_set_timeout(context_, static_cast<long>(settings_.session_cache_timeout_s));
    return;
  }
  SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_options(context_, SSL_OP_NO_TICKET);
  ::SSL_CTX_set_num_tickets(context_, 0);
}

void TlsContext::set_up_psk() {
  if (settings_.psks.empty()) {
    return;
  }
  if (settings_.role == TlsRole::kServer) {
    ::SSL_CTX_set_psk_find_session_callback(context_, find_psk);
  } else {
    ::SSL_CTX_set_psk_use_session_callback(context_, use_psk);
  }
}

}  // namespace kiwi::actors
