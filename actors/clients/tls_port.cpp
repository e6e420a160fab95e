#include "actors/clients/tls_port.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "config/base/check.hpp"
#include "config/base/log.hpp"

namespace kiwi::actors {

TlsSettings tls_settings(const config::Options& options) {
  TlsSettings settings;
  settings.cert_file = options.tls_cert_file;
  settings.key_file = options.tls_key_file;
  settings.key_file_pass = options.tls_key_file_pass;
  settings.ca_cert_file = options.tls_ca_cert_file;
  settings.ca_cert_dir = options.tls_ca_cert_dir;
  settings.dh_params_file = options.tls_dh_params_file;
  switch (options.tls_auth_clients) {
    case config::TlsAuthClients::kNo:
      settings.verify = TlsVerify::kNone;
      break;
    case config::TlsAuthClients::kOptional:
      settings.verify = TlsVerify::kOptional;
      break;
    case config::TlsAuthClients::kYes:
      settings.verify = TlsVerify::kRequired;
      break;
  }
  settings.protocols = options.tls_protocols;
  settings.ciphers = options.tls_ciphers;
  settings.ciphersuites = options.tls_ciphersuites;
  settings.prefer_server_ciphers = options.tls_prefer_server_ciphers;
  settings.session_caching = options.tls_session_caching;
  settings.session_cache_size = options.tls_session_cache_size;
  settings.session_cache_timeout_s = options.tls_session_cache_timeout;
  return settings;
}

TlsPort::TlsPort(Surroundings surroundings) : surroundings_(std::move(surroundings)) {
  CHECK_INVARIANT(surroundings_.metrics != nullptr);
  CHECK_INVARIANT(surroundings_.post && surroundings_.now_ms && surroundings_.wall_s);
}

Result<void> TlsPort::load(const config::Options& options) {
  Result<std::shared_ptr<const TlsContext>> made = TlsContext::make(tls_settings(options));
  if (!made) {
    return made.error();
  }
  context_ = std::move(*made);
  look_at_expiry();
  return {};
}

int64_t TlsPort::certificate_expires_s() const {
  return context_ == nullptr ? 0 : context_->certificate().expires_s;
}

void TlsPort::welcome(std::shared_ptr<ByteStream> below, std::string who, Opened opened) {
  CHECK_INVARIANT(context_ != nullptr);
  if (closed_) {
    below->close();
    return;
  }
  if (handshakes_.size() >= kHandshakesMax) {
    end_oldest();
  }
  auto stream = std::make_shared<TlsStream>(std::move(below), context_, shared_from_this());
  TlsStream* const key = stream.get();
  const auto [at, is_new] = handshakes_.emplace(
      key, Handshake{stream, std::move(who), std::move(opened), surroundings_.now_ms()});
  CHECK_INVARIANT(is_new && at->second.stream != nullptr);
  CHECK_INVARIANT(handshakes_.size() <= kHandshakesMax);
  stream->begin();
}

// Who says nothing must not keep others out.
void TlsPort::end_oldest() {
  const auto oldest = std::ranges::min_element(
      handshakes_, {}, [](const auto& item) { return item.second.since_ms; });
  CHECK_INVARIANT(oldest != handshakes_.end());
  ++surroundings_.metrics->tls_handshake_failures;
  const std::shared_ptr<TlsStream> stream = oldest->second.stream;
  stream->close();  // gone() takes it out
}

void TlsPort::tick() {
  const int64_t now_ms = surroundings_.now_ms();
  std::vector<std::shared_ptr<TlsStream>> late;
  for (const auto& [key, handshake] : handshakes_) {
    if (now_ms - handshake.since_ms > kHandshakeMs) {
      late.push_back(handshake.stream);
    }
  }
  for (const auto& stream : late) {
    if (stream->engine().state() == TlsState::kHandshake) {
      ++surroundings_.metrics->tls_handshake_failures;
      log_verbose("a client on the TLS port did not finish its handshake in time");
    }
    stream->close();
  }
  if (context_ != nullptr && now_ms - looked_at_expiry_ms_ > kExpiryLookMs) {
    look_at_expiry();
  }
}

void TlsPort::look_at_expiry() {
  looked_at_expiry_ms_ = surroundings_.now_ms();
  const TlsCertificate& own = context_->certificate();
  const int64_t left_s = own.expires_s - surroundings_.wall_s();
  if (left_s <= 0) {
    log_warning("the certificate of the TLS port has expired: " + own.subject +
                "; clients that verify it refuse this node");
  } else if (left_s < kExpiryWarningS) {
    log_warning("the certificate of the TLS port expires in " + std::to_string(left_s / 86'400) +
                " days: " + own.subject);
  }
}

void TlsPort::close() {
  closed_ = true;
  waiting_.clear();
  std::vector<std::shared_ptr<TlsStream>> all;
  for (const auto& [key, handshake] : handshakes_) {
    all.push_back(handshake.stream);
  }
  for (const auto& stream : all) {
    stream->close();
  }
  CHECK_INVARIANT(handshakes_.empty());
}

// ---------------------------------------------------------------- turns

bool TlsPort::may_work() {
  if (steps_ >= kStepsATurn || !waiting_.empty()) {
    return false;
  }
  ++steps_;
  post_turn();
  return true;
}

void TlsPort::wait_turn(std::shared_ptr<TlsStream> stream) {
  CHECK_INVARIANT(stream != nullptr);
  waiting_.push_back(std::move(stream));
  post_turn();
}

void TlsPort::post_turn() {
  if (!std::exchange(turn_posted_, true)) {
    surroundings_.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->turn();
      }
    });
  }
}

void TlsPort::turn() {
  turn_posted_ = false;
  steps_ = 0;
  while (!waiting_.empty() && steps_ < kStepsATurn) {
    ++steps_;
    const std::shared_ptr<TlsStream> next = std::move(waiting_.front());
    waiting_.pop_front();
    next->go_on();
  }
  if (steps_ > 0 || !waiting_.empty()) {
    post_turn();
  }
}

// ---------------------------------------------------------------- how handshakes end

void TlsPort::opened(TlsStream& stream) {
  const auto found = handshakes_.find(&stream);
  CHECK_INVARIANT(found != handshakes_.end());
  const Handshake handshake = std::move(found->second);
  handshakes_.erase(found);
  ++surroundings_.metrics->tls_connections_received;
  surroundings_.metrics->tls_resumed += stream.engine().resumed() ? 1 : 0;
  handshake.opened(handshake.stream);
}

// It stays among them until the other end is gone, too, or its time is over.
void TlsPort::refused(TlsStream& stream) {
  const auto found = handshakes_.find(&stream);
  CHECK_INVARIANT(found != handshakes_.end());
  ++surroundings_.metrics->tls_handshake_failures;
  log_verbose("no TLS with " + found->second.who + ": " + stream.engine().error());
}

void TlsPort::gone(TlsStream& stream) { handshakes_.erase(&stream); }

}  // namespace kiwi::actors
