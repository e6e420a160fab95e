#include "actors/clients/memory_stream.hpp"

#include <deque>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "config/base/check.hpp"
#include "config/base/log.hpp"
#include "resp/reply_size.hpp"

namespace kiwi::actors {

// Both ends at once. Whatever one does to the other happens in a handler of its own: neither is
// ever called from inside a call of its own.
class MemoryLine::Stream final : public ByteStream, public std::enable_shared_from_this<Stream> {
 public:
  explicit Stream(Post post) : post_(std::move(post)) { CHECK_INVARIANT(post_ != nullptr); }

  // ---- the connection's end
  void start(Events events) override {
    events_ = std::move(events);
    look_later();
  }
  void pause() override { paused_ = true; }
  void resume() override {
    paused_ = false;
    look_later();
  }
  void write(std::string bytes) override {
    if (!over_) {
      output_ += bytes;
      look_later();
    }
  }
  size_t unsent_bytes() const override { return 0; }
  bool has_unread() const override { return !input_.empty(); }
  void cork(bool) override {}
  void close() override {
    over_ = true;
    events_ = {};
    look_later();
  }
  void finish() override {
    finished_ = true;
    look_later();
  }

  // ---- the line's end
  void ask(std::string bytes, size_t replies, std::function<void(std::string)> done) {
    asked_.push_back({replies, std::move(done)});
    input_ += bytes;
    look_later();
  }
  void hang_up() {
    asked_.clear();
    hung_up_ = true;
    look_later();
  }

 private:
  struct Asked {
    size_t replies = 0;
    std::function<void(std::string)> done;
  };

  void look_later() {
    if (!std::exchange(coming_, true)) {
      post_([self = shared_from_this()] {
        self->coming_ = false;
        self->look();
      });
    }
  }

  void look() {
    answer();
    if (over_) {
      return end();
    }
    if (hung_up_ || finished_ || output_.size() > kReplyBytes ||
        (asked_.empty() && !output_.empty())) {
      return fail();
    }
    if (events_.received && !paused_ && !input_.empty()) {
      const std::string bytes = std::exchange(input_, {});
      const auto received = events_.received;  // close() may come from inside
      // What is thrown (no memory, most likely) ends this connection and nobody else's.
      try {
        received(bytes);
      } catch (const std::exception& thrown) {
        log_warning("a connection of the console is closed, for it failed: " +
                    std::string(thrown.what()));
        fail();
      }
    }
  }

  void fail() {
    over_ = true;
    const Events last = std::exchange(events_, {});
    if (last.closed) {
      last.closed();
    }
    end();
  }

  // Replies that are all there.
  void answer() {
    while (!asked_.empty()) {
      size_t end = 0;
      for (size_t i = 0; i < asked_.front().replies; ++i) {
        const size_t size = resp::reply_size(std::string_view(output_).substr(end));
        if (size == 0) {
          return;
        }
        end += size;
      }
      CHECK_INVARIANT(end <= output_.size());
      std::string replies = output_.substr(0, end);
      output_.erase(0, end);
      const Asked first = std::move(asked_.front());
      asked_.pop_front();
      first.done(std::move(replies));
    }
  }

  void end() {
    for (const Asked& asked : std::exchange(asked_, {})) {
      asked.done({});
    }
  }

  const Post post_;
  Events events_;
  std::string input_;   // said, and not taken by the connection
  std::string output_;  // replied, and not whole
  std::deque<Asked> asked_;
  bool paused_ = false;
  bool coming_ = false;
  bool finished_ = false;
  bool hung_up_ = false;
  bool over_ = false;  // no event comes any more
};

MemoryLine::MemoryLine(Post post) : stream_(std::make_shared<Stream>(std::move(post))) {}
MemoryLine::~MemoryLine() { stream_->hang_up(); }

std::shared_ptr<ByteStream> MemoryLine::stream() const { return stream_; }

void MemoryLine::ask(std::string bytes, size_t replies, std::function<void(std::string)> done) {
  CHECK_INVARIANT(replies > 0 && done);
  stream_->ask(std::move(bytes), replies, std::move(done));
}

}  // namespace kiwi::actors
