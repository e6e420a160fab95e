#include "actors/clients/resp_connection.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "config/base/check.hpp"
#include "config/base/log.hpp"
#include "config/limits.hpp"

namespace kiwi::actors {

RespConnection::RespConnection(caf::actor_config& cfg,
                               const Hosting& hosting,
                               RespConnectionOptions options)
    : Hosted(cfg, hosting, "RespConnection", Vital::kNo),
      options_(std::move(options)),
      session_(std::make_unique<resp::Session>(*options_.node, options_.info, options_.now_ms())) {}

RespConnection::behavior_type RespConnection::make_behavior() {
  const ConnectionHandle self = this;
  send(options_.state_machine, ConnectionOpened{session_->id(), self});
  send(options_.router, ConnectionOpened{session_->id(), self});
  ByteStream::Events events;
  // The events hold the actor, so it lives as long as its socket is open.
  events.received = [this, self](std::string_view bytes) { received(bytes); };
  events.drained = [this, self] { settle(true); };  // behind an answer, too
  events.closed = [this, self] { close(); };
  options_.stream->start(std::move(events));
  return {
      [this](const resp::ReplyBatch& replies) {
        if (!closed_) {
          CHECK_INVARIANT(replies.connection == session_->id());
          session_->reply(replies, options_.now_ms());
          settle();
        }
      },
      [this](work_atom) { settle(); },
      [this](ended_atom) { quit(); },
      [this](part_atom) {
        stopping_ = stopping_ == Stopping::kNo ? Stopping::kBehindAnswer : stopping_;
        settle();
      },
      [this](end_now_atom) {
        stopping_ = Stopping::kNow;
        settle();
      },
  };
}

// A hello of TLS on the port without it: no command begins like that. What it understands is an
// alert (RFC 8446 6): a record of two bytes, fatal, protocol_version.
bool RespConnection::refuses_tls(std::string_view bytes) {
  constexpr std::string_view kHello = "\x16\x03";
  constexpr std::string_view kAlert("\x15\x03\x01\x00\x02\x02\x46", 7);
  if (std::exchange(heard_, true) || options_.info.tls || !bytes.starts_with(kHello)) {
    return false;
  }
  log_verbose("a client at " + options_.info.peer_address + " speaks TLS on the port without it");
  options_.stream->write(std::string(kAlert));
  close();
  return true;
}

void RespConnection::received(std::string_view bytes) {
  if (closed_ || refuses_tls(bytes)) {
    return;
  }
  session_->receive(bytes, options_.now_ms());
  // It has an answer already, or the rest of what it says is awaited.
  const bool more = bytes.size() >= config::limits::kSocketReadBytes || !session_->has_requests();
  if (options_.rule && (more || session_->has_output())) {
    options_.rule->can_gain();
  }
  settle();
}

void RespConnection::forward() {
  resp::RequestBatch batch = session_->take_requests();
  const auto is_other = [](const resp::Request& request) {
    return request.kind != resp::RequestKind::kWrite;
  };
  if (options_.rule && std::ranges::any_of(batch.requests, is_other)) {
    options_.rule->can_gain();
  }
  send(options_.router, std::move(batch));
}

void RespConnection::settle(bool answered) {
  if (closed_) {
    return;
  }
  if (stopping_ != Stopping::kNo) {
    session_->end_wait();
  }
  if (stopping_ == Stopping::kBehindAnswer && !finished_) {
    options_.stream->cork(true);  // so that the end travels with the last answer
  }
  // Telling how much is unsent can set the session going again, so once may not be enough.
  do {
    if (session_->has_requests()) {
      forward();
    }
    if (session_->has_output() && !session_->killed()) {
      options_.stream->write(session_->take_output());
      answered = true;
    }
    session_->set_unsent_bytes(options_.stream->unsent_bytes());
  } while (!session_->killed() && (session_->has_requests() || session_->has_output()));
  if (const std::optional<resp::ReplyTaken> taken = session_->take_taken()) {
    send(options_.state_machine, *taken);
  }
  if (session_->killed() || (session_->closing() && options_.stream->unsent_bytes() == 0)) {
    close();
    return;
  }
  if (stopping_ != Stopping::kNo && try_finish(answered)) {
    return;
  }
  if (session_->wants_more_input() && !session_->closing()) {
    options_.stream->resume();
  } else {
    options_.stream->pause();
  }
}

// False: go on reading.
bool RespConnection::try_finish(bool answered) {
  CHECK_INVARIANT(stopping_ != Stopping::kNo);
  if (finished_) {
    return true;
  }
  ByteStream& stream = *options_.stream;
  if (stopping_ == Stopping::kNow) {
    if (session_->idle()) {
      finished_ = true;
      stream.finish();
    } else {
      stream.pause();
    }
    return true;
  }
  if (answered && stream.unsent_bytes() != 0) {
    return false;  // it has not left yet: drained() looks again
  }
  if (answered && session_->between_commands() && !stream.has_unread()) {
    finished_ = true;
    stream.finish();
    return true;
  }
  stream.cork(false);
  return false;
}

void RespConnection::close() {
  if (std::exchange(closed_, true)) {
    return;
  }
  options_.stream->close();
  send(options_.router, ConnectionClosed{session_->id()});
  send(options_.state_machine, ConnectionClosed{session_->id()});
  // The session goes when this handler is over: another session's command may have killed it.
  send(this, ended_atom_v);
}

void RespConnection::stopped() {
  options_.stream->close();
  if (!std::exchange(closed_, true)) {  // ended by an exception: tell the others all the same
    caf::anon_send(options_.router, ConnectionClosed{session_->id()});
    caf::anon_send(options_.state_machine, ConnectionClosed{session_->id()});
  }
  const resp::ConnectionId id = session_->id();
  session_.reset();
  options_.router = nullptr;
  options_.state_machine = nullptr;
  if (options_.ended) {
    options_.ended(id);
  }
}

ConnectionHandle spawn_resp_connection(caf::actor_system& system,
                                       const Hosting& hosting,
                                       RespConnectionOptions options) {
  return spawn_hosted<RespConnection>(system, hosting, std::move(options));
}

}  // namespace kiwi::actors
