// TlsEngine: one side of one TLS connection, without a socket: encrypted bytes in, plain bytes out,
// plain bytes in, encrypted bytes out. Owned by the stream above it, which moves the bytes and ends
// the connection when the engine says so. One thread at a time; no clock: deadlines are the
// owner's.
//
// It holds at most one incomplete record (16 KiB and a header) of what came, and of what goes only
// what the owner has not taken by take_output().
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/tls/tls_context.hpp"

struct ssl_st;

namespace kiwi::actors {

enum class TlsState : uint8_t {
  kHandshake,  // send() must wait
  kOpen,
  kEnded,   // the other side said that it sends nothing more; send() still works
  kFailed,  // error() says why. take_output() may hold an alert for the other side; send it, close
};

enum class TlsFailure : uint8_t {
  kNone,
  kNotTls,     // the first bytes are none of TLS: somebody speaks plain text
  kHandshake,  // no common ground: versions, ciphers, keys, a certificate that is refused
  kRefused,    // the other side said so, by an alert
  kDamaged,    // a record that is none, or was changed on its way
  kCutOff,     // the connection ended without the end of TLS
};

// How the other side proved who it is.
enum class TlsProof : uint8_t { kNothing, kCertificate, kPsk };

struct TlsEngineOptions {
  // Clients: the name or address that the server's certificate must carry; empty: any that the
  // authorities signed.
  std::string server_name;
  // Between two records, too: 34 KiB, which a connection that is idle most of the time should not
  // hold.
  bool keeps_buffers = false;
};

class TlsEngine {
 public:
  // A client's first bytes are in take_output() at once.
  explicit TlsEngine(std::shared_ptr<const TlsContext> context, TlsEngineOptions options = {});
  ~TlsEngine();
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;

  // Takes all of `encrypted`; appends what it says to `plain`: at most as many bytes and one record
  // more. May leave output, and may change the state.
  TlsState receive(std::string_view encrypted, std::string& plain);
  // The connection has ended: kEnded stays, all else has failed.
  TlsState end_of_input();
  // kOpen and kEnded only. Leaves as much output and about 22 bytes per 16 KiB.
  void send(std::string_view plain);
  // Says that nothing more is sent; harmless in any state.
  void finish();

  bool has_output() const;
  size_t output_bytes() const;
  std::string take_output();  // in order, each byte once
  // The same for whoever copies it on: valid until the next call, output_taken() among them.
  std::string_view output() const;
  void output_taken();  // all of it; keeps at most 256 KiB for what comes next

  TlsState state() const { return state_; }
  TlsFailure failure() const { return failure_; }
  const std::string& error() const { return error_; }  // one sentence

  // Once the handshake is done.
  TlsProof proof() const;
  const std::string& psk_identity() const { return psk_identity_; }  // proof() kPsk
  std::string peer_common_name() const;        // of its certificate's subject; empty: none
  std::vector<std::string> peer_uris() const;  // URIs among its certificate's other names
  std::string peer_subject() const;            // for a person; empty: no certificate
  std::string version() const;                 // "TLSv1.3"
  std::string cipher() const;
  bool resumed() const;
  uint64_t key_changes() const { return key_changes_; }  // of what is sent, behind the handshake
  // Both sides compute the same bytes, nobody between them can: to bind a proof to this connection
  // (RFC 5705).
  std::string exporter(std::string_view label, size_t bytes) const;

  // For the callbacks of OpenSSL, which have only the connection.
  void psk_chosen(std::string identity) { psk_identity_ = std::move(identity); }
  const TlsContext& context() const { return *context_; }

 private:
  struct Wire;  // what OpenSSL reads and writes

  void go_on();  // with the handshake
  void read(std::string& plain);
  void opened();
  void change_worn_key();
  void failed(int result);  // of the call into OpenSSL that did not work
  void fail(TlsFailure failure, std::string error);

  std::shared_ptr<const TlsContext> context_;
  std::unique_ptr<Wire> wire_;
  ssl_st* ssl_ = nullptr;
  TlsState state_ = TlsState::kHandshake;
  TlsFailure failure_ = TlsFailure::kNone;
  bool first_seen_ = false;  // the first byte that came
  bool was_open_ = false;
  bool finished_ = false;
  uint64_t sent_by_key_ = 0;  // plain bytes, by the present one
  uint64_t key_changes_ = 0;
  std::string psk_identity_;
  std::string error_;
};

}  // namespace kiwi::actors
