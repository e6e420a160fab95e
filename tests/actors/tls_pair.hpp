// Two TLS engines that talk to each other in memory, and short ways to the settings of a test.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "actors/tls/tls_context.hpp"
#include "actors/tls/tls_engine.hpp"
#include "certificates.hpp"

namespace kiwi::actors {

using TlsContextPtr = std::shared_ptr<const TlsContext>;

inline TlsContextPtr made(const TlsSettings& settings) {
  Result<TlsContextPtr> context = TlsContext::make(settings);
  REQUIRE_MESSAGE(context, (context ? "" : context.error().text));
  return *context;
}

inline std::string refusal(const TlsSettings& settings) {
  const Result<TlsContextPtr> context = TlsContext::make(settings);
  return context ? std::string() : context.error().text;
}

inline TlsSettings server_of(const CertificateFiles& files, const std::string& authority = {}) {
  TlsSettings settings;
  settings.cert_file = files.cert;
  settings.key_file = files.key;
  settings.ca_cert_file = authority;
  settings.verify = authority.empty() ? TlsVerify::kNone : TlsVerify::kRequired;
  return settings;
}

inline TlsSettings client_of(const std::string& authority, const CertificateFiles& files = {}) {
  TlsSettings settings;
  settings.role = TlsRole::kClient;
  settings.cert_file = files.cert;
  settings.key_file = files.key;
  settings.ca_cert_file = authority;
  settings.verify = authority.empty() ? TlsVerify::kNone : TlsVerify::kRequired;
  return settings;
}

inline TlsPsk psk(const std::string& identity, char fill) {
  return {identity, std::string(32, fill)};
}

inline TlsSettings psk_side(TlsRole role, std::vector<TlsPsk> psks) {
  TlsSettings settings;
  settings.role = role;
  settings.psks = std::move(psks);
  return settings;
}

struct TlsPair {
  TlsPair(const TlsSettings& client_settings,
          const TlsSettings& server_settings,
          const std::string& name = {})
      : TlsPair(made(client_settings), made(server_settings), name) {}
  TlsPair(const TlsContextPtr& client_context,
          const TlsContextPtr& server_context,
          const std::string& name = {})
      : client(client_context, {name}), server(server_context) {}

  // Until nobody has anything to say; in portions of so many bytes.
  void talk(size_t portion = SIZE_MAX) {
    while (client.has_output() || server.has_output()) {
      deliver(client.take_output(), server, at_server, portion);
      deliver(server.take_output(), client, at_client, portion);
    }
  }
  static void deliver(const std::string& bytes, TlsEngine& to, std::string& plain, size_t portion) {
    for (size_t at = 0; at < bytes.size(); at += std::min(portion, bytes.size() - at)) {
      to.receive(std::string_view(bytes).substr(at, portion), plain);
    }
  }
  bool open() const {
    return client.state() == TlsState::kOpen && server.state() == TlsState::kOpen;
  }

  TlsEngine client;
  TlsEngine server;
  std::string at_client;
  std::string at_server;
};

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace kiwi::actors
