#include "certificates.hpp"

#include <cstdio>
#include <filesystem>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "config/base/check.hpp"

namespace kiwi::actors {

namespace {

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* made = ::X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  CHECK_INVARIANT(made != nullptr);
  CHECK_INVARIANT(::X509_add_ext(certificate, made, -1) == 1);
  ::X509_EXTENSION_free(made);
}

X509* new_certificate(EVP_PKEY* key, const CertificateWish& wish, int serial) {
  X509* made = ::X509_new();
  CHECK_INVARIANT(made != nullptr && key != nullptr);
  ::X509_set_version(made, 2);  // version 3
  ::ASN1_INTEGER_set(::X509_get_serialNumber(made), serial);
  ::X509_gmtime_adj(X509_getm_notBefore(made), wish.begins_s);
  ::X509_gmtime_adj(X509_getm_notAfter(made), wish.ends_s);
  ::X509_set_pubkey(made, key);
  ::X509_NAME_add_entry_by_txt(::X509_get_subject_name(made), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(wish.common_name.data()),
                               static_cast<int>(wish.common_name.size()), -1, 0);
  return made;
}

void write_certificate(const std::string& path, X509* certificate) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  CHECK_INVARIANT(file != nullptr && ::PEM_write_X509(file, certificate) == 1);
  CHECK_INVARIANT(std::fclose(file) == 0);
}

void write_key(const std::string& path, EVP_PKEY* key, const std::string& pass) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  CHECK_INVARIANT(file != nullptr);
  const EVP_CIPHER* cipher = pass.empty() ? nullptr : ::EVP_aes_256_cbc();
  const auto* secret = reinterpret_cast<const unsigned char*>(pass.data());
  CHECK_INVARIANT(::PEM_write_PrivateKey(file, key, cipher, pass.empty() ? nullptr : secret,
                                         static_cast<int>(pass.size()), nullptr, nullptr) == 1);
  CHECK_INVARIANT(std::fclose(file) == 0);
}

}  // namespace

Authority::Authority(const std::string& name) {
  folder_ = "/tmp/kiwi-tls-XXXXXX";
  CHECK_INVARIANT(::mkdtemp(folder_.data()) != nullptr);
  key_ = EVP_EC_gen("P-256");
  CertificateWish wish;
  wish.common_name = name;
  certificate_ = new_certificate(key_, wish, ++made_);
  ::X509_set_issuer_name(certificate_, ::X509_get_subject_name(certificate_));
  add_extension(certificate_, certificate_, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate_, certificate_, NID_key_usage, "critical,keyCertSign,cRLSign");
  CHECK_INVARIANT(::X509_sign(certificate_, key_, ::EVP_sha256()) > 0);
  write_certificate(cert(), certificate_);
}

Authority::~Authority() {
  ::X509_free(certificate_);
  ::EVP_PKEY_free(key_);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

CertificateFiles Authority::sign(const CertificateWish& wish) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* made = new_certificate(key, wish, ++made_);
  ::X509_set_issuer_name(made, ::X509_get_subject_name(certificate_));
  add_extension(made, certificate_, NID_basic_constraints, "critical,CA:FALSE");
  if (!wish.other_names.empty()) {
    add_extension(made, certificate_, NID_subject_alt_name, wish.other_names);
  }
  CHECK_INVARIANT(::X509_sign(made, key_, ::EVP_sha256()) > 0);
  const std::string path = folder_ + "/" + std::to_string(made_);
  write_certificate(path + ".crt", made);
  write_key(path + ".key", key, wish.pass);
  ::X509_free(made);
  ::EVP_PKEY_free(key);
  return {path + ".crt", path + ".key"};
}

}  // namespace kiwi::actors
