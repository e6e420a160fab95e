// TlsContext: what all TLS connections of one port share: certificate and key, whom to trust, keys
// agreed on beforehand, versions and ciphers. Never changes: whoever reloads makes a new one, and
// connections keep the one that they began with. Safe to use from any thread. OpenSSL stays behind
// it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/result.hpp"

struct ssl_ctx_st;

namespace kiwi::actors {

enum class TlsRole : uint8_t { kServer, kClient };

// What is asked of the other side's certificate. kOptional: it may have none, but not a wrong one.
// A client must not say kNone or kOptional unless it knows the server by other means.
enum class TlsVerify : uint8_t { kNone, kOptional, kRequired };

// A key that both sides know beforehand (external PSK of TLS 1.3, always with (EC)DHE).
struct TlsPsk {
  std::string identity;  // travels in clear; at most kTlsPskIdentityBytesMax
  std::string key;       // kTlsPskKeyBytes
};
constexpr size_t kTlsPskKeyBytes = 32;
constexpr size_t kTlsPskIdentityBytesMax = 256;

struct TlsSettings {
  TlsRole role = TlsRole::kServer;

  // Files in PEM; empty: none. A server has a certificate or a PSK or both; who offers a PSK that
  // the server knows is not asked for a certificate.
  std::string cert_file;
  std::string key_file;  // empty: the key is in cert_file
  std::string key_file_pass;
  std::string ca_cert_file;
  std::string ca_cert_dir;
  std::string dh_params_file;  // TLS 1.2 without elliptic curves; empty: OpenSSL's own
  TlsVerify verify = TlsVerify::kRequired;

  // A server takes any of them, a client offers the first. A context with a PSK speaks TLS 1.3
  // only. A client with one trusts no certificate unless ca_cert_* say so.
  std::vector<TlsPsk> psks;

  std::string protocols;     // "TLSv1.2 TLSv1.3" or one of them; empty: both
  std::string ciphers;       // of TLS 1.2, OpenSSL's notation; empty: its default
  std::string ciphersuites;  // of TLS 1.3
  bool prefer_server_ciphers = false;

  // TLS 1.3: so many bytes are sent under one key, then comes the next. AES-GCM wears out a little
  // with each block (RFC 8446 5.5 stops at 2^38.5 bytes), and a link between nodes lives for
  // months.
  uint64_t key_bytes_max = uint64_t{1} << 36U;

  // Sessions that a client may resume (servers; never together with a PSK).
  bool session_caching = false;
  int64_t session_cache_size = 0;  // 0: no bound
  int64_t session_cache_timeout_s = 300;
};

struct TlsCertificate {
  std::string subject;
  std::string issuer;
  int64_t expires_s = 0;  // unix time
};

// The parts of `tls-protocols`, judged: an error is one sentence.
Result<void> check_tls_protocols(std::string_view protocols);

class TlsContext {
 public:
  // An error is one sentence that names the file.
  static Result<std::shared_ptr<const TlsContext>> make(TlsSettings settings);

  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  TlsRole role() const { return settings_.role; }
  const std::vector<TlsPsk>& psks() const { return settings_.psks; }
  uint64_t key_bytes_max() const { return settings_.key_bytes_max; }
  // Its own certificate; an empty subject: none.
  const TlsCertificate& certificate() const { return certificate_; }
  ssl_ctx_st* native() const { return context_; }

 private:
  TlsContext(TlsSettings settings, ssl_ctx_st* context);

  Result<void> set_up();
  Result<void> set_up_versions();
  Result<void> load_certificate();
  Result<void> load_authorities();
  Result<void> load_dh_params();
  void set_up_sessions();
  void set_up_psk();

  TlsSettings settings_;
  TlsCertificate certificate_;
  ssl_ctx_st* context_;
};

}  // namespace kiwi::actors
