// A client of this process: a ByteStream without a socket, and the line that speaks through it.
// What it says goes the way of all clients; its replies come back whole. Client loop only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "actors/clients/byte_stream.hpp"
#include "resp/web/console.hpp"

namespace kiwi::actors {

class MemoryLine final : public resp::web::ConsoleLine {
 public:
  using Post = std::function<void(std::function<void()>)>;

  // Replies that were not asked for, and longer ones than that, end it.
  static constexpr size_t kReplyBytes = 2 << 20;

  explicit MemoryLine(Post post);
  ~MemoryLine() override;  // hangs up
  MemoryLine(const MemoryLine&) = delete;
  MemoryLine& operator=(const MemoryLine&) = delete;

  std::shared_ptr<ByteStream> stream() const;  // for the connection
  void ask(std::string bytes, size_t replies, std::function<void(std::string)> done) override;

 private:
  class Stream;
  std::shared_ptr<Stream> stream_;
};

}  // namespace kiwi::actors
