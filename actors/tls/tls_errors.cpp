#include "actors/tls/tls_errors.hpp"

#include <cstring>
#include <openssl/err.h>

namespace kiwi::actors {

std::string take_tls_error() {
  const unsigned long error = ::ERR_peek_error();
  ::ERR_clear_error();
  if (error == 0) {
    return "no reason is given";
  }
  if (ERR_SYSTEM_ERROR(error)) {
    return std::strerror(ERR_GET_REASON(error));
  }
  const char* reason = ::ERR_reason_error_string(error);
  return reason != nullptr ? reason : "OpenSSL's error " + std::to_string(error);
}

}  // namespace kiwi::actors
