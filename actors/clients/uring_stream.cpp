#include "actors/clients/uring_stream.hpp"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "config/base/check.hpp"
#include "config/base/log.hpp"

namespace kiwi::actors {

UringStream::UringStream(std::shared_ptr<UringEngine> engine, int socket)
    : engine_(std::move(engine)), fd_(socket) {
  CHECK_INVARIANT(fd_ >= 0);
}

UringStream::~UringStream() {
  if (fd_ >= 0) {
    ::close(fd_);  // it never began
  }
}

void UringStream::start(Events events) {
  events_.set(std::move(events));
  if (slot_ == kNoSlot && !closed_) {
    slot_ = engine_->enter(shared_from_this());
  }
  want_receive();
}

void UringStream::resume() {
  paused_ = false;
  want_receive();
}

// One that is being cancelled is made again when it is over.
void UringStream::want_receive() {
  if (closed_ || receiving_ || slot_ == kNoSlot || engine_->ring() == nullptr) {
    return;
  }
  engine_->ring()->receive(fd_, engine_->tag_of_receive(slot_));
  receiving_ = true;
  ++under_way_;
  engine_->will_submit();
}

// What is thrown in an event (no memory, most likely) ends this connection and nobody else's.
template <class Work>
void UringStream::contain(const Work& work) {
  try {
    work();
  } catch (const std::exception& thrown) {
    log_warning("a client's connection is closed, for it failed: " + std::string(thrown.what()));
    fail();
  }
}

// Also while it is paused: the session bounds and counts what it is given, and more than what is on
// its way now does not come.
void UringStream::received(std::string_view bytes) {
  if (closed_) {
    return;
  }
  if (paused_ && receiving_ && !cancelling_) {
    engine_->ring()->cancel(engine_->tag_of_receive(slot_));
    cancelling_ = true;
    engine_->will_submit();
  }
  contain([&] { events_.received(bytes); });
}

void UringStream::receive_done(int32_t result, bool more) {
  if (!more) {
    CHECK_INVARIANT(receiving_ && under_way_ > 0);
    receiving_ = cancelling_ = false;
    --under_way_;
  }
  if (closed_) {
    leave_if_over();
    return;
  }
  // Nobody looks at what a paused client said before it ended, so it has not ended yet. resume()
  // asks the kernel again, which says so again.
  if (paused_) {
    return;
  }
  // No buffer was free, or it was cancelled: it goes on if it should.
  const bool goes_on = result > 0 || result == -ENOBUFS || result == -ECANCELED ||
                       result == -EINTR || result == -EAGAIN;
  if (!goes_on) {
    fail();
  } else {
    want_receive();
  }
}

void UringStream::write(std::string bytes) {
  if (closed_ || bytes.empty()) {
    return;
  }
  std::string& behind = send_under_way_ ? pending_ : sending_;
  if (behind.empty()) {
    behind = std::move(bytes);
  } else {
    behind.append(bytes);
  }
  want_send();
}

size_t UringStream::unsent_bytes() const {
  CHECK_INVARIANT(sent_ <= sending_.size());
  return sending_.size() - sent_ + pending_.size();
}

void UringStream::want_send() {
  if (!send_under_way_ && !std::exchange(waits_to_send_, true)) {
    engine_->will_send(shared_from_this());
  }
}

void UringStream::make_send() {
  waits_to_send_ = false;
  if (closed_ || sending_.empty() || slot_ == kNoSlot) {
    return;
  }
  CHECK_INVARIANT(!send_under_way_ && sent_ < sending_.size());
  engine_->ring()->send(fd_, std::string_view(sending_).substr(sent_), engine_->tag_of_send(slot_));
  send_under_way_ = true;
  ++under_way_;
}

void UringStream::send_done(int32_t result) {
  CHECK_INVARIANT(send_under_way_ && under_way_ > 0);
  send_under_way_ = false;
  --under_way_;
  if (closed_) {
    leave_if_over();
    return;
  }
  if (result < 0 && result != -EINTR && result != -EAGAIN) {
    fail();
    return;
  }
  sent_ += static_cast<size_t>(std::max(result, 0));
  CHECK_INVARIANT(sent_ <= sending_.size());
  if (sent_ == sending_.size()) {
    sending_ = std::exchange(pending_, {});
    sent_ = 0;
  } else if (sent_ >= sending_.size() / 2) {
    // What is sent already need not be kept while the rest waits; but to move all of a long rest
    // after each portion would cost the square of its length.
    sending_.erase(0, sent_);
    sent_ = 0;
  }
  sending_.empty() ? all_sent() : want_send();
}

void UringStream::all_sent() {
  if (finishing_) {
    ::shutdown(fd_, SHUT_WR);
  }
  contain([this] { events_.drained(); });
}

bool UringStream::has_unread() const {
  if (closed_ || slot_ == kNoSlot) {
    return false;
  }
  int waiting = 0;
  return engine_->has_received(slot_) || (::ioctl(fd_, FIONREAD, &waiting) == 0 && waiting > 0);
}

void UringStream::cork(bool yes) {
  const int value = yes ? 1 : 0;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_CORK, &value, sizeof(value));
}

void UringStream::finish() {
  finishing_ = true;
  events_.end_receiving();
  if (!closed_ && unsent_bytes() == 0) {
    ::shutdown(fd_, SHUT_WR);
  }
  resume();
}

// What is under way ends by the end of the socket. Its descriptor stays taken until then: another
// socket must not get its requests.
void UringStream::close() {
  if (std::exchange(closed_, true)) {
    return;
  }
  const auto self = shared_from_this();  // the slot may be all that it lives by
  events_.end();
  if (!send_under_way_ && sent_ < sending_.size()) {
    // Last words: what the kernel takes at once has left, as if it had been sent when it was
    // written.
    [[maybe_unused]] const ssize_t sent =
        ::send(fd_, sending_.data() + sent_, sending_.size() - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  if (under_way_ != 0 && ::shutdown(fd_, SHUT_RDWR) != 0 && engine_->ring() != nullptr) {
    if (receiving_) {
      engine_->ring()->cancel(engine_->tag_of_receive(slot_));
    }
    if (send_under_way_) {
      engine_->ring()->cancel(engine_->tag_of_send(slot_));
    }
    engine_->will_submit();
  }
  leave_if_over();
}

void UringStream::leave_if_over() {
  if (closed_ && under_way_ == 0 && fd_ >= 0) {
    ::close(std::exchange(fd_, -1));
    if (slot_ != kNoSlot) {
      engine_->leave(std::exchange(slot_, kNoSlot));
    }
  }
}

void UringStream::engine_ends() {
  closed_ = true;
  events_.end();
  under_way_ = 0;
  leave_if_over();
}

void UringStream::fail() {
  if (closed_) {
    return;
  }
  auto closed = events_.take_closed();
  close();
  if (closed) {
    closed();
  }
}

}  // namespace kiwi::actors
