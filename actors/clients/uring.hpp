// Uring: an io_uring for sockets, with one ring of buffers that all of them receive into. liburing
// is seen by uring.cpp only. Plain class; used by the thread that opened it and by no other.
//
// The kernel puts what completes off until the thread enters it (DEFER_TASKRUN): nothing interrupts
// the loop, and a look costs one system call however much came. Its own descriptor never becomes
// readable for what was put off, so an eventfd says that something was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "config/base/result.hpp"

namespace kiwi::actors {

class Uring {
 public:
  // Memory of all receives together, whatever the number of sockets: 4 MiB.
  static constexpr size_t kBuffers = 1024;
  static constexpr size_t kBufferBytes = 4096;
  static constexpr uint64_t kNobody = 0;  // the tag of what nobody waits for

  // What became of a request.
  struct Done {
    uint64_t tag = kNobody;
    int32_t result = 0;  // bytes, a descriptor, or -errno
    bool more = false;   // the request goes on
    bool has_buffer = false;
    uint16_t buffer = 0;
  };

  // Opens one and sees it work. An error says what is missing or forbidden.
  static Result<std::unique_ptr<Uring>> open();
  ~Uring();
  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;

  // ---- requests; they reach the kernel with submit() or fetch()
  void receive(int socket, uint64_t tag);  // goes on until it fails, or is cancelled
  void accept(int listener, uint64_t tag);
  void send(int socket,
            std::string_view bytes,
            uint64_t tag);  // the bytes stay in place until done
  void cancel(uint64_t tag);
  void cancel_all();
  bool has_requests() const;  // not submitted yet

  void submit();  // what can be done at once is done
  void fetch();   // the same, and what was put off becomes Done
  // Something was put off, or is done. Costs a look at memory.
  bool has_news() const;

  std::optional<Done> next();
  const std::optional<Done>& peek();      // what next() would give
  bool has_received(uint64_t tag) const;  // among what next() would give
  std::string_view received(const Done& done) const;
  void give_back(const Done& done);  // its buffer

  // Becomes readable when something is put off while signals are on.
  int event_fd() const;
  void signal(bool on);

 private:
  struct State;
  explicit Uring(std::unique_ptr<State> state);
  std::optional<Error> prove();

  std::unique_ptr<State> state_;
  std::optional<Done> first_;
};

}  // namespace kiwi::actors
