#include "actors/peers/peer_auth.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"

namespace kiwi::actors {

std::string prove(std::string_view secret, Side side, const Opening& opening) {
  std::string text = "kiwi-peer";
  put_u8(text, static_cast<uint8_t>(side));
  put_sized(text, opening.open);
  put_sized(text, opening.challenge);
  if (!opening.binding.empty()) {
    CHECK_INVARIANT(opening.binding.size() == kBindingBytes);
    put_sized(text, opening.binding);
  }
  std::string proof(kProofBytes, '\0');
  unsigned size = 0;
  const unsigned char* done =
      ::HMAC(::EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(),
             reinterpret_cast<unsigned char*>(proof.data()), &size);
  CHECK_INVARIANT(done != nullptr && size == kProofBytes);
  return proof;
}

bool same_bytes(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_nonce(size_t bytes) {
  std::string nonce(bytes, '\0');
  CHECK_INVARIANT(::getrandom(nonce.data(), nonce.size(), 0) == static_cast<ssize_t>(bytes));
  return nonce;
}

std::string hex_of_random(size_t bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : random_nonce(bytes)) {
    text += kDigits[static_cast<uint8_t>(c) >> 4];
    text += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return text;
}

}  // namespace kiwi::actors
