#include "actors/clients/tls_stream.hpp"

#include <exception>
#include <utility>

#include "config/base/check.hpp"
#include "config/base/log.hpp"

namespace kiwi::actors {

namespace {

// For who speaks Redis' protocol without TLS; to others it is one line of text.
constexpr std::string_view kSpeakTls =
    "-ERR this port speaks TLS: connect with TLS, or to the port without it\r\n";

}  // namespace

TlsStream::TlsStream(std::shared_ptr<ByteStream> below,
                     std::shared_ptr<const TlsContext> context,
                     std::shared_ptr<Port> port)
    : below_(std::move(below)), port_(std::move(port)), engine_(std::move(context)) {
  CHECK_INVARIANT(below_ != nullptr && port_ != nullptr);
  CHECK_INVARIANT(engine_.state() == TlsState::kHandshake);
}

void TlsStream::begin() {
  Events events;
  const auto self = shared_from_this();  // lives as long as the stream below has events
  events.received = [self](std::string_view bytes) { self->came(bytes); };
  events.drained = [self] { self->drained(); };
  events.closed = [self] { self->lost(); };
  below_->start(std::move(events));
}

// What is thrown in an event (no memory, most likely) ends this connection and nobody else's. The
// events of the stream below are contained there.
template <class Work>
void TlsStream::contain(const Work& work) {
  try {
    work();
  } catch (const std::exception& thrown) {
    log_warning("a client's connection is closed, for it failed: " + std::string(thrown.what()));
    fail();
  }
}

// ---------------------------------------------------------------- what comes

void TlsStream::came(std::string_view bytes) {
  if (closed_ || refused_) {
    return;
  }
  const auto self = shared_from_this();
  if (engine_.state() == TlsState::kHandshake && (queued_ || !port_->may_work())) {
    waiting_.append(bytes);
    below_->pause();
    if (!std::exchange(queued_, true)) {
      port_->wait_turn(self);
    }
    return;
  }
  take(bytes);
}

void TlsStream::go_on() {
  CHECK_INVARIANT(queued_);
  queued_ = false;
  if (closed_) {
    return;
  }
  contain([this] {
    const std::string bytes = std::exchange(waiting_, {});
    take(bytes);
    if (!closed_ && engine_.state() == TlsState::kHandshake) {
      below_->resume();
    }
  });
}

void TlsStream::take(std::string_view bytes) {
  const bool shaking = engine_.state() == TlsState::kHandshake;
  std::string& plain = port_->scratch();
  plain.clear();
  engine_.receive(bytes, plain);
  control_bytes_ += engine_.output_bytes();
  send_output();
  if (shaking && engine_.state() == TlsState::kHandshake) {
    return;
  }
  if (shaking) {
    handshake_over(plain);
  } else if (!started_) {
    early_.append(plain);  // the stream below had read it before it was paused
  } else {
    deliver(plain);
  }
}

void TlsStream::handshake_over(std::string plain) {
  CHECK_INVARIANT(!started_ && early_.empty());
  if (engine_.state() == TlsState::kFailed && plain.empty()) {
    refuse();
    return;
  }
  // Also if it ended or failed right behind the handshake: then its owner hears it.
  early_ = std::move(plain);
  below_->pause();
  port_->opened(*this);
}

void TlsStream::refuse() {
  refused_ = true;
  const auto self = shared_from_this();
  if (engine_.failure() == TlsFailure::kNotTls) {
    below_->write(std::string(kSpeakTls));
  }
  port_->refused(*this);
  if (!closed_ && below_->unsent_bytes() == 0) {
    below_->finish();  // or drained() does
  }
}

void TlsStream::deliver(std::string_view plain) {
  const auto self = shared_from_this();
  if (!plain.empty()) {
    events_.received(plain);
  }
  if (closed_) {
    return;
  }
  // What is unsent says nothing of it: most of that may be answers to commands.
  control_bytes_ = below_->unsent_bytes() == 0 ? 0 : control_bytes_;
  if (engine_.state() != TlsState::kOpen || control_bytes_ > kControlBytesMax) {
    fail();
  }
}

void TlsStream::start(Events events) {
  CHECK_INVARIANT(!started_ && !refused_);
  events_.set(std::move(events));
  port_->post([self = shared_from_this()] { self->deliver_early(); });
}

void TlsStream::deliver_early() {
  if (closed_) {
    return;
  }
  started_ = true;
  contain([this] {
    const std::string plain = std::exchange(early_, {});
    deliver(plain);
    if (!closed_ && lost_) {
      fail();
    } else if (!closed_ && !paused_) {
      below_->resume();
    }
  });
}

void TlsStream::pause() {
  paused_ = true;
  below_->pause();
}

void TlsStream::resume() {
  paused_ = false;
  if (started_ && !closed_) {
    below_->resume();
  }
}

// ---------------------------------------------------------------- what goes

void TlsStream::write(std::string bytes) {
  if (closed_ || finishing_ || bytes.empty() || engine_.state() == TlsState::kFailed) {
    return;  // failed: the owner is told so in a moment
  }
  CHECK_INVARIANT(started_ || pending_.empty());
  if (sent_ < pending_.size()) {
    pending_.append(bytes);
  } else {
    pending_ = std::move(bytes);
    sent_ = 0;
  }
  push();
}

// Encrypts no more than the stream below has room for: else each long reply would be held twice.
void TlsStream::push() {
  const bool sends = engine_.state() == TlsState::kOpen || engine_.state() == TlsState::kEnded;
  while (sends && sent_ < pending_.size() && below_->unsent_bytes() < kAheadBytes) {
    const std::string_view portion = std::string_view(pending_).substr(sent_, kPortionBytes);
    engine_.send(portion);
    sent_ += portion.size();
    if (engine_.state() == TlsState::kFailed) {
      port_->post([self = shared_from_this()] { self->fail(); });
      break;
    }
    send_output();
  }
  CHECK_INVARIANT(sent_ <= pending_.size());
  if (sent_ == pending_.size()) {
    std::string().swap(pending_);  // the next write brings its own
    sent_ = 0;
  } else if (sent_ >= pending_.size() / 2) {
    // Moved no more often than it halves, or a long rest would cost the square of its length.
    pending_.erase(0, sent_);
    sent_ = 0;
  }
}

void TlsStream::send_output() {
  if (engine_.has_output() && !lost_) {
    below_->write(engine_.take_output());
  }
}

size_t TlsStream::unsent_bytes() const { return pending_.size() - sent_ + below_->unsent_bytes(); }

void TlsStream::drained() {
  if (closed_) {
    return;
  }
  const auto self = shared_from_this();
  if (refused_) {
    below_->finish();
    return;
  }
  push();
  if (unsent_bytes() != 0) {
    return;
  }
  if (finishing_) {
    end_output();
  } else {
    events_.drained();
  }
}

bool TlsStream::has_unread() const {
  return !early_.empty() || !waiting_.empty() || below_->has_unread();
}

void TlsStream::cork(bool yes) { below_->cork(yes); }

// ---------------------------------------------------------------- the end

void TlsStream::finish() {
  events_.end_receiving();
  if (!std::exchange(finishing_, true) && unsent_bytes() == 0) {
    end_output();
  }
}

void TlsStream::end_output() {
  CHECK_INVARIANT(finishing_);
  engine_.finish();
  send_output();
  if (below_->unsent_bytes() == 0) {
    below_->finish();  // or drained() does: it would cut off what the kernel has no room for
  }
}

void TlsStream::close() {
  const auto self = shared_from_this();
  if (std::exchange(closed_, true)) {
    return;
  }
  events_.end();
  if (!lost_ && !finishing_ && unsent_bytes() == 0) {
    engine_.finish();  // so that the other end can tell it from a cut
    send_output();
  }
  below_->close();
  port_->gone(*this);
}

void TlsStream::lost() {
  const auto self = shared_from_this();
  lost_ = true;
  if (engine_.state() != TlsState::kHandshake && !refused_ && !started_) {
    return;  // its owner hears it when it starts, also if TLS had ended or failed by then
  }
  fail();
}

void TlsStream::fail() {
  if (closed_) {
    return;
  }
  const auto self = shared_from_this();
  auto closed = events_.take_closed();
  close();
  if (closed) {
    closed();
  }
}

}  // namespace kiwi::actors
