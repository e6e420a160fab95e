// Certificates for tests: an authority of a test's own, and what it signs, as files of a folder
// that goes with it.
#pragma once

#include <cstdint>
#include <string>

struct x509_st;
struct evp_pkey_st;

namespace kiwi::actors {

struct CertificateFiles {
  std::string cert;
  std::string key;
};

struct CertificateWish {
  std::string common_name = "localhost";
  std::string other_names = "DNS:localhost,IP:127.0.0.1";  // OpenSSL's notation; empty: none
  int64_t begins_s = -3600;                                // from now
  int64_t ends_s = 86400;
  std::string pass;  // of the key; empty: none
};

class Authority {
 public:
  explicit Authority(const std::string& name = "Kiwi test authority");
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  const std::string& folder() const { return folder_; }
  std::string cert() const { return folder_ + "/ca.crt"; }
  CertificateFiles sign(const CertificateWish& wish = {});

 private:
  std::string folder_;
  evp_pkey_st* key_ = nullptr;
  x509_st* certificate_ = nullptr;
  int made_ = 0;
};

}  // namespace kiwi::actors
