#include "actors/peers/peer_security.hpp"

#include <fstream>
#include <openssl/evp.h>
#include <string_view>
#include <utility>
#include <vector>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/base/sha256.hpp"

namespace kiwi::actors {

namespace {

// ON THE WIRE: two nodes derive the same key from one secret.
constexpr std::string_view kSalt = "kiwi raft.cluster-secret 1";
constexpr uint64_t kScryptN = uint64_t{1} << 15;  // 32 MiB and 0.1 s for each guess
constexpr uint64_t kScryptR = 8;
constexpr uint64_t kScryptP = 1;
constexpr uint64_t kScryptMemory = uint64_t{64} << 20;
constexpr size_t kNameBytes = 8;
constexpr size_t kShortSecret = 16;
constexpr int64_t kDayS = 86'400;
constexpr int64_t kWarnedS = 30 * kDayS;            // before a certificate ends
constexpr size_t kFileBytesMax = size_t{1} << 20U;  // of a certificate's file that is compared

bool scrypt(std::string_view secret, std::string& out) {
  return ::EVP_PBE_scrypt(secret.data(), secret.size(),
                          reinterpret_cast<const unsigned char*>(kSalt.data()), kSalt.size(),
                          kScryptN, kScryptR, kScryptP, kScryptMemory,
                          reinterpret_cast<unsigned char*>(out.data()), out.size()) == 1;
}

std::string hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    text += kDigits[value >> 4U];
    text += kDigits[value & 15U];
  }
  return text;
}

const TlsPsk& key_of(PeerSecurity& security, const PeerSecurityPtr& former, const std::string& of) {
  const auto known = security.keys.find(of);
  if (known != security.keys.end()) {
    return known->second;
  }
  const TlsPsk* derived = nullptr;
  if (former != nullptr) {
    const auto before = former->keys.find(of);
    derived = before != former->keys.end() ? &before->second : nullptr;
  }
  return security.keys.emplace(of, derived != nullptr ? *derived : derive_psk(of)).first->second;
}

Result<void> check_files(const config::Options& options) {
  const bool certificate = !options.raft_tls_cert_file.empty();
  if (certificate && options.raft_tls_ca_cert_file.empty()) {
    return Error{Errc::kInvalid,
                 "raft.tls-cert-file is set but raft.tls-ca-cert-file is not: name the authority "
                 "that signs the certificates of all nodes"};
  }
  if (!certificate &&
      (!options.raft_tls_ca_cert_file.empty() || !options.raft_tls_key_file.empty())) {
    return Error{Errc::kInvalid,
                 "raft.tls-cert-file is not set, but raft.tls-ca-cert-file or raft.tls-key-file "
                 "is: a node that trusts certificates of others shows one itself"};
  }
  return {};
}

std::string content_of(const std::string& path) {
  std::string content(path.empty() ? 0 : kFileBytesMax, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<size_t>(file.gcount()));
  return content;
}

std::string digest_of(const config::Options& options) {
  std::string all;
  put_u8(all, static_cast<uint8_t>(options.raft_tls_enabled));
  put_sized(all, options.raft_cluster_secret);
  put_sized(all, options.raft_cluster_secret_also);
  for (const std::string* path :
       {&options.raft_tls_cert_file, &options.raft_tls_key_file, &options.raft_tls_ca_cert_file}) {
    put_sized(all, *path);
    put_sized(all, content_of(*path));
  }
  return sha256(all);
}

TlsSettings settings_of(const config::Options& options, TlsRole role) {
  TlsSettings settings;
  settings.role = role;
  settings.cert_file = options.raft_tls_cert_file;
  settings.key_file = options.raft_tls_key_file;
  settings.ca_cert_file = options.raft_tls_ca_cert_file;
  settings.verify = TlsVerify::kRequired;
  settings.protocols = "TLSv1.3";
  return settings;
}

}  // namespace

TlsPsk derive_psk(std::string_view secret) {
  // 32 bytes for the key, the rest names it.
  std::string derived(kTlsPskKeyBytes + kNameBytes, '\0');
  CHECK_INVARIANT(!secret.empty());
  CHECK_INVARIANT(scrypt(secret, derived));
  return {"kiwi-" + hex(std::string_view(derived).substr(kTlsPskKeyBytes)),
          derived.substr(0, kTlsPskKeyBytes)};
}

PeerSecurityPtr plain_peer_security(std::string secret) {
  auto security = std::make_shared<PeerSecurity>();
  security->secret = std::move(secret);
  return security;
}

Result<PeerSecurityPtr> make_peer_security(const config::Options& options,
                                           const PeerSecurityPtr& former) {
  auto security = std::make_shared<PeerSecurity>();
  security->made_of = digest_of(options);  // before the files are read: one replaced now is news
  security->secret = options.raft_cluster_secret;
  security->secret_also = options.raft_cluster_secret_also;
  security->by_certificate = !options.raft_tls_cert_file.empty();
  if (security->secret.empty() && !security->secret_also.empty()) {
    return Error{Errc::kInvalid,
                 "raft.cluster-secret-also is set but raft.cluster-secret is not: no node would "
                 "use it"};
  }
  if (Result<void> files = check_files(options); !files) {
    return files.error();
  }
  const bool by_certificate = security->by_certificate;
  if (!by_certificate && security->secret.empty()) {
    return PeerSecurityPtr(security);
  }
  const bool only_tls = options.raft_tls_enabled == config::PeerTls::kYes;
  TlsSettings accepting = settings_of(options, TlsRole::kServer);
  // With certificates a secret alone opens no link, but while they are being introduced.
  if (!security->secret.empty() && !(by_certificate && only_tls)) {
    accepting.psks.push_back(key_of(*security, former, security->secret));
    if (!security->secret_also.empty() && security->secret_also != security->secret) {
      accepting.psks.push_back(key_of(*security, former, security->secret_also));
    }
  }
  Result<std::shared_ptr<const TlsContext>> accepts = TlsContext::make(std::move(accepting));
  if (!accepts) {
    return accepts.error();
  }
  TlsSettings dialling = settings_of(options, TlsRole::kClient);
  if (!by_certificate) {
    dialling.psks.push_back(key_of(*security, former, security->secret));
  }
  Result<std::shared_ptr<const TlsContext>> dials = TlsContext::make(std::move(dialling));
  if (!dials) {
    return dials.error();
  }
  security->accepts = std::move(*accepts);
  if (options.raft_tls_enabled != config::PeerTls::kNo) {
    security->dials = std::move(*dials);
  }
  security->accepts_plain = !only_tls;
  security->dials_plain_again = options.raft_tls_enabled == config::PeerTls::kPrefer;
  CHECK_INVARIANT(security->dials == nullptr || security->accepts != nullptr);
  return PeerSecurityPtr(security);
}

std::string weakness_of(const PeerSecurity& security) {
  if (!security.encrypts()) {
    return "what this node says to others is not encrypted and not protected against changes" +
           std::string(security.secret.empty()
                           ? ": there is neither raft.cluster-secret nor raft.tls-cert-file"
                           : ", for raft.tls-enabled is no");
  }
  if (security.accepts_plain) {
    return "raft.tls-enabled is prefer: nodes that do not encrypt are still linked to. Set it to "
           "yes when all nodes have it";
  }
  for (const std::string* secret : {&security.secret, &security.secret_also}) {
    if (!secret->empty() && secret->size() < kShortSecret && !security.by_certificate) {
      return "raft.cluster-secret is shorter than " + std::to_string(kShortSecret) +
             " characters: whoever dials this node, or hears one dial another, may guess it at "
             "leisure";
    }
  }
  return {};
}

std::string end_of_certificate(const PeerSecurity& security, int64_t wall_s) {
  if (!security.by_certificate) {
    return {};
  }
  CHECK_INVARIANT(security.accepts != nullptr);
  const TlsCertificate& own = security.accepts->certificate();
  const int64_t left_s = own.expires_s - wall_s;
  if (left_s >= kWarnedS) {
    return {};
  }
  return "the certificate of links to other nodes (raft.tls-cert-file) " +
         (left_s <= 0 ? "has expired" : "expires in " + std::to_string(left_s / kDayS) + " days") +
         ": " + own.subject + "; with an expired one no link is made anew";
}

}  // namespace kiwi::actors
