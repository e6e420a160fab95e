#include "actors/tls/tls_engine.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/sslerr.h>
#include <openssl/x509v3.h>
#include <utility>

#include "actors/tls/tls_errors.hpp"
#include "config/base/check.hpp"

namespace kiwi::actors {

namespace {

constexpr size_t kRecordBytesMax = 16 * 1024;  // RFC 8446 5.1: plain bytes of one record

// The first byte of a record (RFC 8446 5.1).
constexpr unsigned char kAlertRecord = 0x15;
constexpr unsigned char kHandshakeRecord = 0x16;

// A server can answer a hello with an alert.
bool begins_tls(TlsRole role, char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte == kHandshakeRecord || (role == TlsRole::kClient && byte == kAlertRecord);
}

struct FreeCertificate {
  void operator()(X509* certificate) const { ::X509_free(certificate); }
};
using Certificate = std::unique_ptr<X509, FreeCertificate>;

Certificate certificate_of_peer(const SSL* ssl) {
  return Certificate(::SSL_get1_peer_certificate(ssl));
}

// UTF-8; empty also for what holds a zero byte: "admin\0.example" must not pass for "admin".
std::string text_of(const ASN1_STRING* string) {
  unsigned char* utf8 = nullptr;
  const int size = ::ASN1_STRING_to_UTF8(&utf8, string);
  if (size < 0) {
    ::ERR_clear_error();
    return {};
  }
  std::string text(reinterpret_cast<const char*>(utf8), static_cast<size_t>(size));
  ::OPENSSL_free(utf8);
  return text.find('\0') == std::string::npos ? text : std::string();
}

}  // namespace

// OpenSSL reads what receive() is given where it lies, and writes behind what is not sent yet.
struct TlsEngine::Wire {
  std::string_view in;
  std::string out;

  static Wire& of(BIO* bio) { return *static_cast<Wire*>(::BIO_get_data(bio)); }

  static int read(BIO* bio, char* to, size_t size, size_t* done) {
    std::string_view& in = of(bio).in;
    *done = std::min(size, in.size());
    BIO_clear_retry_flags(bio);
    if (*done == 0) {
      BIO_set_retry_read(bio);
      return -1;
    }
    std::memcpy(to, in.data(), *done);
    in.remove_prefix(*done);
    return 1;
  }

  static int write(BIO* bio, const char* from, size_t size, size_t* done) {
    BIO_clear_retry_flags(bio);
    *done = 0;
    try {
      of(bio).out.append(from, size);
    } catch (const std::bad_alloc&) {  // must not fly through OpenSSL
      return -1;
    }
    *done = size;
    return 1;
  }

  static long control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  static const BIO_METHOD* method() {
    static const BIO_METHOD* const kMethod = [] {
      BIO_METHOD* made = ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "kiwi");
      CHECK_INVARIANT(made != nullptr);
      ::BIO_meth_set_read_ex(made, read);
      ::BIO_meth_set_write_ex(made, write);
      ::BIO_meth_set_ctrl(made, control);
      return made;
    }();
    return kMethod;
  }
};

TlsEngine::TlsEngine(std::shared_ptr<const TlsContext> context, TlsEngineOptions options)
    : context_(std::move(context)), wire_(std::make_unique<Wire>()) {
  CHECK_INVARIANT(context_ != nullptr);
  ::ERR_clear_error();
  ssl_ = ::SSL_new(context_->native());
  BIO* bio = ::BIO_new(Wire::method());
  if (ssl_ == nullptr || bio == nullptr) {
    ::SSL_free(ssl_);
    ::BIO_free(bio);
    throw std::bad_alloc();
  }
  ::BIO_set_data(bio, wire_.get());
  ::BIO_set_init(bio, 1);
  ::SSL_set_bio(ssl_, bio, bio);
  SSL_set_app_data(ssl_, this);
  if (options.keeps_buffers) {
    SSL_clear_mode(ssl_, SSL_MODE_RELEASE_BUFFERS);
  }
  if (context_->role() == TlsRole::kServer) {
    CHECK_INVARIANT(options.server_name.empty());
    ::SSL_set_accept_state(ssl_);
    return;
  }
  ::SSL_set_connect_state(ssl_);
  if (!options.server_name.empty()) {
    const char* name = options.server_name.c_str();
    // An address first: it is none that may travel as a server's name.
    if (::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl_), name) != 1) {
      ::ERR_clear_error();
      if (::SSL_set1_host(ssl_, name) != 1 || SSL_set_tlsext_host_name(ssl_, name) != 1) {
        fail(TlsFailure::kHandshake, "'" + options.server_name + "' is no name of a server");
        return;
      }
    }
  }
  go_on();
}

TlsEngine::~TlsEngine() { ::SSL_free(ssl_); }

TlsState TlsEngine::receive(std::string_view encrypted, std::string& plain) {
  if (encrypted.empty() || state_ == TlsState::kEnded || state_ == TlsState::kFailed) {
    return state_;
  }
  // OpenSSL would take a line of plain text for a record of a strange length and wait for it.
  if (!std::exchange(first_seen_, true) && !begins_tls(context_->role(), encrypted.front())) {
    fail(TlsFailure::kNotTls, "the first bytes are none of TLS");
    return state_;
  }
  ::ERR_clear_error();
  wire_->in = encrypted;
  if (state_ == TlsState::kHandshake) {
    go_on();
  }
  if (state_ == TlsState::kOpen) {
    read(plain);
  }
  const bool over = state_ == TlsState::kEnded || state_ == TlsState::kFailed;
  if (!std::exchange(wire_->in, {}).empty() && !over) {
    fail(TlsFailure::kDamaged, "what came cannot be read");
  }
  return state_;
}

void TlsEngine::go_on() {
  const int result = ::SSL_do_handshake(ssl_);
  if (result == 1) {
    opened();
  } else {
    failed(result);
  }
}

void TlsEngine::opened() {
  // What a handshake that worked left there must not be taken for a failure of the next call.
  ::ERR_clear_error();
  // Whoever offered a PSK and was answered with a certificate has proven nothing by the PSK.
  if (::SSL_session_reused(ssl_) != 1) {
    psk_identity_.clear();
  }
  state_ = TlsState::kOpen;
  was_open_ = true;
  if (proof() == TlsProof::kNothing && context_->role() == TlsRole::kClient &&
      !context_->psks().empty()) {
    fail(TlsFailure::kHandshake, "the server proved neither the key nor a certificate");
  }
}

void TlsEngine::read(std::string& plain) {
  std::array<char, kRecordBytesMax> record;
  for (;;) {
    size_t size = 0;
    const size_t before = wire_->in.size();
    const int result = ::SSL_read_ex(ssl_, record.data(), record.size(), &size);
    if (result == 1) {
      CHECK_INVARIANT(size <= record.size());
      plain.append(record.data(), size);
      continue;
    }
    failed(result);
    // What is no data, such as a change of keys, may end a call before all is read.
    if (state_ != TlsState::kOpen || wire_->in.size() == before || wire_->in.empty()) {
      return;
    }
  }
}

TlsState TlsEngine::end_of_input() {
  if (state_ == TlsState::kHandshake) {
    fail(TlsFailure::kCutOff, "the connection ended in the middle of the handshake");
  } else if (state_ == TlsState::kOpen) {
    fail(TlsFailure::kCutOff, "the connection ended without the end of TLS: it may be cut off");
  }
  return state_;
}

void TlsEngine::send(std::string_view plain) {
  if (state_ == TlsState::kFailed || plain.empty()) {
    return;
  }
  CHECK_INVARIANT(state_ == TlsState::kOpen || state_ == TlsState::kEnded);
  CHECK_INVARIANT(!finished_);
  ::ERR_clear_error();
  change_worn_key();
  size_t done = 0;
  const int result = ::SSL_write_ex(ssl_, plain.data(), plain.size(), &done);
  if (result != 1) {
    const int reason = ::SSL_get_error(ssl_, result);
    fail(TlsFailure::kDamaged,
         "sending failed: " + take_tls_error() + " (" + std::to_string(reason) + ")");
    return;
  }
  CHECK_INVARIANT(done == plain.size());
  sent_by_key_ += plain.size();
}

// Says so to the other side in a record ahead of what is sent next. In the middle of such a word of
// the other side it cannot be done: the next send() tries again.
void TlsEngine::change_worn_key() {
  if (sent_by_key_ < context_->key_bytes_max() || ::SSL_version(ssl_) != TLS1_3_VERSION) {
    return;
  }
  if (::SSL_key_update(ssl_, SSL_KEY_UPDATE_NOT_REQUESTED) == 1) {
    sent_by_key_ = 0;
    ++key_changes_;
  }
  ::ERR_clear_error();
}

void TlsEngine::finish() {
  if (finished_ || (state_ != TlsState::kOpen && state_ != TlsState::kEnded)) {
    return;
  }
  finished_ = true;
  ::SSL_shutdown(ssl_);  // leaves the alert; whether the other side has said it too does not matter
  ::ERR_clear_error();
}

bool TlsEngine::has_output() const { return !wire_->out.empty(); }
size_t TlsEngine::output_bytes() const { return wire_->out.size(); }
std::string TlsEngine::take_output() { return std::exchange(wire_->out, {}); }
std::string_view TlsEngine::output() const { return wire_->out; }

void TlsEngine::output_taken() {
  constexpr size_t kKeptBytesMax = size_t{256} << 10;
  if (wire_->out.capacity() > kKeptBytesMax) {
    wire_->out = {};
  }
  wire_->out.clear();
}

void TlsEngine::failed(int result) {
  switch (::SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return;
    case SSL_ERROR_ZERO_RETURN:
      state_ = TlsState::kEnded;
      return;
    default:
      break;
  }
  const unsigned long error = ::ERR_peek_error();
  const int reason = ERR_GET_REASON(error);
  const bool in_handshake = state_ == TlsState::kHandshake;
  const long verified = ::SSL_get_verify_result(ssl_);
  if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET) {
    ::ERR_clear_error();
    fail(TlsFailure::kRefused, std::string("the other side refuses: ") +
                                   ::SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
  } else if (in_handshake && verified != X509_V_OK) {
    ::ERR_clear_error();
    fail(TlsFailure::kHandshake, std::string("the other side's certificate is refused: ") +
                                     ::X509_verify_cert_error_string(verified));
  } else if (in_handshake && reason == SSL_R_BINDER_DOES_NOT_VERIFY) {
    ::ERR_clear_error();
    fail(TlsFailure::kHandshake, "the key that both sides should know is not the same");
  } else if (in_handshake && !context_->psks().empty() && psk_identity_.empty()) {
    fail(TlsFailure::kHandshake,
         "the other side names no key that is known here: " + take_tls_error());
  } else {
    fail(in_handshake ? TlsFailure::kHandshake : TlsFailure::kDamaged, take_tls_error());
  }
}

void TlsEngine::fail(TlsFailure failure, std::string error) {
  CHECK_INVARIANT(failure != TlsFailure::kNone && !error.empty());
  state_ = TlsState::kFailed;
  failure_ = failure;
  error_ = std::move(error);
}

TlsProof TlsEngine::proof() const {
  if (!was_open_) {
    return TlsProof::kNothing;
  }
  if (!psk_identity_.empty()) {
    return TlsProof::kPsk;
  }
  return certificate_of_peer(ssl_) != nullptr && ::SSL_get_verify_result(ssl_) == X509_V_OK &&
                 ::SSL_get_verify_mode(ssl_) != SSL_VERIFY_NONE
             ? TlsProof::kCertificate
             : TlsProof::kNothing;
}

std::string TlsEngine::peer_common_name() const {
  const Certificate certificate = certificate_of_peer(ssl_);
  if (certificate == nullptr) {
    return {};
  }
  const X509_NAME* subject = ::X509_get_subject_name(certificate.get());
  const int at = ::X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  return at < 0 ? std::string()
                : text_of(::X509_NAME_ENTRY_get_data(::X509_NAME_get_entry(subject, at)));
}

std::vector<std::string> TlsEngine::peer_uris() const {
  std::vector<std::string> uris;
  const Certificate certificate = certificate_of_peer(ssl_);
  if (certificate == nullptr) {
    return uris;
  }
  auto* names = static_cast<GENERAL_NAMES*>(
      ::X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {  // -1 without any
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_URI) {
      uris.push_back(text_of(name->d.uniformResourceIdentifier));
    }
  }
  ::GENERAL_NAMES_free(names);
  return uris;
}

std::string TlsEngine::peer_subject() const {
  const Certificate certificate = certificate_of_peer(ssl_);
  if (certificate == nullptr) {
    return {};
  }
  const std::unique_ptr<BIO, decltype(&::BIO_free)> out(::BIO_new(::BIO_s_mem()), ::BIO_free);
  const char* text = nullptr;
  if (out == nullptr || ::X509_NAME_print_ex(out.get(), ::X509_get_subject_name(certificate.get()),
                                             0, XN_FLAG_RFC2253) < 0) {
    return {};
  }
  const long size = BIO_get_mem_data(out.get(), &text);
  return size > 0 ? std::string(text, static_cast<size_t>(size)) : std::string();
}

std::string TlsEngine::version() const { return ::SSL_get_version(ssl_); }

std::string TlsEngine::cipher() const {
  const char* name = ::SSL_get_cipher_name(ssl_);
  return name != nullptr ? name : "";
}

bool TlsEngine::resumed() const {
  return ::SSL_session_reused(ssl_) == 1 && proof() != TlsProof::kPsk;
}

std::string TlsEngine::exporter(std::string_view label, size_t bytes) const {
  CHECK_INVARIANT(state_ == TlsState::kOpen || state_ == TlsState::kEnded);
  std::string out(bytes, '\0');
  const int done =
      ::SSL_export_keying_material(ssl_, reinterpret_cast<unsigned char*>(out.data()), out.size(),
                                   label.data(), label.size(), nullptr, 0, 0);
  CHECK_INVARIANT(done == 1);
  return out;
}

}  // namespace kiwi::actors
