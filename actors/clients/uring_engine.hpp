// The engine of io_uring: one request accepts or receives for as long as its socket lives, all
// receive into one ring of buffers, and what a turn of the loop writes goes to the kernel in one
// system call. While the sockets are held nothing wakes the loop, and a look costs one call.
//
// On the client loop only, by the thread that runs it. Streams are known by their slot; the slot is
// used again when the last of its requests is over.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "actors/clients/socket_engine.hpp"
#include "actors/clients/uring.hpp"
#include "config/base/result.hpp"

namespace kiwi::actors {

class UringStream;

class UringEngine final : public SocketEngine, public std::enable_shared_from_this<UringEngine> {
 public:
  UringEngine(boost::asio::io_context& io, LoopHooks hooks, std::unique_ptr<Uring> ring);
  ~UringEngine() override;
  void begin();  // once, behind the constructor

  void accept(std::vector<int> listeners, Welcome welcome) override;
  void stop_accepting() override;
  std::shared_ptr<ByteStream> make_stream(int socket) override;
  void expect_requests(bool expected) override { expected_ = expected; }
  void hold(bool held) override;
  void look() override;
  uint64_t looks() const override { return looks_; }
  void flush() override;
  void clear() override;

  // ---- for streams
  Uring* ring() { return ring_.get(); }  // null after clear()
  size_t enter(std::shared_ptr<UringStream> stream);
  void leave(size_t slot);
  uint64_t tag_of_receive(size_t slot) const;
  uint64_t tag_of_send(size_t slot) const;
  void will_send(std::shared_ptr<UringStream> stream);  // with the next flush()
  void will_submit();                                   // a request was made
  bool has_received(size_t slot) const;                 // and not given to the stream yet

 private:
  enum class Receives : uint8_t { kGiven, kKept };
  // What a tag says, beside the slot or the door.
  enum class Kind : uint8_t { kReceive = 1, kSend = 2, kAccept = 3 };
  static constexpr uint64_t kKinds = 4;
  static constexpr uint64_t make_tag(size_t index, Kind kind) {
    return index * kKinds + static_cast<uint64_t>(kind);
  }
  static constexpr size_t index_of(uint64_t tag) { return static_cast<size_t>(tag / kKinds); }
  static constexpr Kind kind_of(uint64_t tag) { return static_cast<Kind>(tag % kKinds); }

  // So many pieces are taken before other work of the loop gets its turn: as many bytes at most as
  // the visits of readable_sockets.cpp bring when they are short. When a commit was waited for, all
  // should be in the next group, if that is possible.
  static constexpr size_t kPiecesOfPass = 256;
  static constexpr size_t kPiecesOfLook = 4096;

  struct Bell;
  // A listening socket.
  struct Door {
    void close();
    int fd = -1;
    std::shared_ptr<const Welcome> welcome;
    bool accepting = false;  // a request is under way
    bool closing = false;    // for good
    int64_t shut_us = 0;     // no descriptor was free; 0: it is open
  };

  void wait_for_bell();
  void answer_bell();
  void watch_door(size_t index, bool watched);
  void rung(bool surely);
  void pass();
  void pass_later();
  void rest();
  size_t take(bool surely, size_t pieces);
  size_t reap(Receives receives);
  std::optional<Uring::Done> next(Receives receives);
  bool next_belongs_to(const Uring::Done& done, Receives receives);
  void handle(const Uring::Done& done, Receives receives);
  void received(const Uring::Done& done, Receives receives);
  bool wait_a_little();

  // ---- uring_accept.cpp
  void open_door(size_t index);
  void open_doors_again();
  void shut_door(size_t index, int error);
  void accepted(const Uring::Done& done);
  static void let_in(const Door& door, int socket);
  static void let_in_the_rest(const Door& door);

  boost::asio::io_context& io_;
  const LoopHooks hooks_;
  std::unique_ptr<Uring> ring_;
  std::unique_ptr<Bell> bell_;
  std::vector<std::shared_ptr<Door>> doors_;
  size_t shut_doors_ = 0;
  std::vector<std::shared_ptr<UringStream>> slots_;
  std::vector<size_t> free_slots_;
  std::vector<std::shared_ptr<UringStream>> to_send_;
  std::vector<std::shared_ptr<UringStream>> sending_;  // room of to_send_
  // What came while the sockets are held and something else had to be fetched.
  std::vector<Uring::Done> kept_;
  size_t next_kept_ = 0;
  std::string gathered_;  // of one stream, in pieces that came together
  uint64_t looks_ = 0;
  int64_t last_found_us_ = 0;
  bool held_ = false;
  bool expected_ = false;
  bool awake_ = false;
  bool passing_ = false;
  bool reaping_ = false;
  bool pass_posted_ = false;
  bool flush_posted_ = false;
};

// An error says why there can be none.
Result<std::shared_ptr<SocketEngine>> make_uring_engine(boost::asio::io_context& io,
                                                        LoopHooks hooks);

}  // namespace kiwi::actors
