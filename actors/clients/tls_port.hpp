// TlsPort: what the port for TLS clients has beside its socket: the certificate in force, and the
// handshakes under way, which are strangers until they are done: how many, how long, and how much
// of a turn of the loop they may cost.
//
// Owned by the TcpServer; client loop only. It makes no stream below and knows no actor.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "actors/clients/byte_stream.hpp"
#include "actors/clients/tls_stream.hpp"
#include "actors/tls/tls_context.hpp"
#include "config/base/result.hpp"
#include "config/metrics.hpp"
#include "config/options.hpp"

namespace kiwi::actors {

// What the tls-* options ask for.
TlsSettings tls_settings(const config::Options& options);

class TlsPort final : public TlsStream::Port, public std::enable_shared_from_this<TlsPort> {
 public:
  static constexpr size_t kHandshakesMax = 256;  // the oldest gives way to the next
  static constexpr size_t kStepsATurn = 4;
  static constexpr int64_t kHandshakeMs = 10'000;
  static constexpr int64_t kExpiryWarningS = 30 * 86'400;
  static constexpr int64_t kExpiryLookMs = 86'400'000;

  struct Surroundings {
    config::ClientMetrics* metrics = nullptr;  // outlives it
    std::function<void(std::function<void()>)> post;
    std::function<int64_t()> now_ms;  // monotonic
    std::function<int64_t()> wall_s;
  };
  // The handshake is done; the stream waits for start().
  using Opened = std::function<void(std::shared_ptr<TlsStream>)>;

  explicit TlsPort(Surroundings surroundings);

  // New connections get what the options say now. An error changes nothing; it names the file.
  Result<void> load(const config::Options& options);
  // `who`, for the log. load() has worked before.
  void welcome(std::shared_ptr<ByteStream> below, std::string who, Opened opened);
  size_t strangers() const { return handshakes_.size(); }
  // Unix time; 0: there is no certificate.
  int64_t certificate_expires_s() const;
  void tick();   // every second or so
  void close();  // ends all handshakes

  bool may_work() override;
  void wait_turn(std::shared_ptr<TlsStream> stream) override;
  void opened(TlsStream& stream) override;
  void refused(TlsStream& stream) override;
  void gone(TlsStream& stream) override;
  std::string& scratch() override { return scratch_; }
  void post(std::function<void()> work) override { surroundings_.post(std::move(work)); }

 private:
  struct Handshake {
    std::shared_ptr<TlsStream> stream;
    std::string who;
    Opened opened;
    int64_t since_ms = 0;
  };

  void turn();
  void post_turn();
  void end_oldest();
  void look_at_expiry();

  Surroundings surroundings_;
  std::shared_ptr<const TlsContext> context_;
  std::unordered_map<const TlsStream*, Handshake> handshakes_;
  std::deque<std::shared_ptr<TlsStream>> waiting_;  // for a turn
  std::string scratch_;
  size_t steps_ = 0;  // of this turn
  bool turn_posted_ = false;
  bool closed_ = false;
  int64_t looked_at_expiry_ms_ = 0;  // 0: not yet
};

}  // namespace kiwi::actors
