// TlsStream: a ByteStream that speaks TLS over another one, whatever transport that is. Made and
// driven through its handshake by a TlsPort; open, it is a RespConnection's as any other stream.
// Client loop only.
//
// It holds what its owner wrote and the stream below has not room for (kAheadBytes), encrypted no
// sooner than that; of what comes, what one read brought while its handshake waits for its turn or
// its owner has not started it, and an incomplete record.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "actors/clients/byte_stream.hpp"
#include "actors/clients/stream_events.hpp"
#include "actors/tls/tls_engine.hpp"

namespace kiwi::actors {

class TlsStream final : public ByteStream, public std::enable_shared_from_this<TlsStream> {
 public:
  // What the streams of one port share; it outlives their calls.
  class Port {
   public:
    virtual ~Port() = default;
    // A step of a handshake costs much: a few of them a turn. No: wait_turn(), then go_on() comes.
    virtual bool may_work() = 0;
    virtual void wait_turn(std::shared_ptr<TlsStream> stream) = 0;
    // Each comes at most once, never from inside a call to the stream but close().
    virtual void opened(TlsStream& stream) = 0;
    virtual void refused(TlsStream& stream) = 0;  // engine().error() says why; gone() comes later
    virtual void gone(TlsStream& stream) = 0;
    virtual std::string& scratch() = 0;  // for plain bytes, until the call that filled it is over
    virtual void post(std::function<void()> work) = 0;
  };

  // What the stream below is given to send ahead of what it has sent; and one portion of it.
  static constexpr size_t kAheadBytes = 256 * 1024;
  static constexpr size_t kPortionBytes = 64 * 1024;
  // Of answers to what carries no data (alerts, changes of keys), for who does not read them.
  static constexpr size_t kControlBytesMax = 64 * 1024;

  TlsStream(std::shared_ptr<ByteStream> below,
            std::shared_ptr<const TlsContext> context,
            std::shared_ptr<Port> port);

  void begin();  // the handshake
  void go_on();  // it is this stream's turn
  const TlsEngine& engine() const { return engine_; }

  void start(Events events) override;  // once it is open
  void pause() override;
  void resume() override;
  void write(std::string bytes) override;
  size_t unsent_bytes() const override;
  bool has_unread() const override;
  void cork(bool yes) override;
  void close() override;
  void finish() override;

 private:
  template <class Work>
  void contain(const Work& work);
  void came(std::string_view bytes);
  void take(std::string_view bytes);
  void handshake_over(std::string plain);
  void refuse();
  void deliver(std::string_view plain);
  void deliver_early();
  void push();
  void send_output();
  void drained();
  void end_output();
  void lost();  // the stream below has ended
  void fail();

  std::shared_ptr<ByteStream> below_;
  std::shared_ptr<Port> port_;
  TlsEngine engine_;
  StreamEvents events_;
  std::string pending_;  // plain; sent_ bytes of it are encrypted
  size_t sent_ = 0;
  std::string waiting_;  // encrypted: came while its turn has not
  std::string early_;    // plain: came behind the handshake, before start()
  // Of the answers to what carries no data, since all was with the kernel last.
  size_t control_bytes_ = 0;
  bool queued_ = false;
  bool started_ = false;
  bool refused_ = false;
  bool paused_ = false;  // by the owner
  bool finishing_ = false;
  bool lost_ = false;
  bool closed_ = false;
};

}  // namespace kiwi::actors
