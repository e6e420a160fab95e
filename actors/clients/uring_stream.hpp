// ByteStream over a socket of a UringEngine. An idle stream holds no buffer, only a request of the
// kernel that receives into the engine's. What is written stays in place until the kernel is done
// with it: one send at a time, the rest collects behind it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "actors/clients/byte_stream.hpp"
#include "actors/clients/stream_events.hpp"
#include "actors/clients/uring_engine.hpp"

namespace kiwi::actors {

class UringStream final : public ByteStream, public std::enable_shared_from_this<UringStream> {
 public:
  UringStream(std::shared_ptr<UringEngine> engine, int socket);
  ~UringStream() override;

  void start(Events events) override;
  void pause() override { paused_ = true; }  // noticed when something comes
  void resume() override;
  void write(std::string bytes) override;
  size_t unsent_bytes() const override;
  bool has_unread() const override;
  void cork(bool yes) override;
  void close() override;
  void finish() override;

  // ---- for the engine
  void received(std::string_view bytes);
  void receive_done(int32_t result, bool more);
  void make_send();  // of what waits
  void send_done(int32_t result);
  void engine_ends();  // nothing of it is under way any more

 private:
  static constexpr size_t kNoSlot = SIZE_MAX;

  template <class Work>
  void contain(const Work& work);
  void want_receive();
  void want_send();
  void all_sent();
  void fail();
  void leave_if_over();

  std::shared_ptr<UringEngine> engine_;
  int fd_;
  size_t slot_ = kNoSlot;
  StreamEvents events_;
  std::string sending_;  // [sent_, end) is to be sent, and stays in place while that is under way
  std::string pending_;  // behind it
  size_t sent_ = 0;
  uint32_t under_way_ = 0;  // requests
  bool receiving_ = false;
  bool cancelling_ = false;  // the receive
  bool waits_to_send_ = false;
  bool send_under_way_ = false;
  bool paused_ = false;
  bool finishing_ = false;
  bool closed_ = false;
};

}  // namespace kiwi::actors
