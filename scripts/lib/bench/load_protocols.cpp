#include "scripts/lib/bench/load_protocols.hpp"

#include <charconv>
#include <cstdio>
#include <cstring>

namespace kiwi::bench {
namespace {

// redis-benchmark's names, so that both generators meet the same keys.
std::string key_name(std::string_view prefix, uint64_t number) {
  char digits[32];
  const int length =
      std::snprintf(digits, sizeof digits, "%012llu", static_cast<unsigned long long>(number));
  return std::string(prefix) + std::string(digits, static_cast<size_t>(length));
}

// ---------------------------------------------------------------- Redis

class Redis : public Protocol {
 public:
  Redis(std::string value, std::string prelude)
      : value_(std::move(value)), prelude_(std::move(prelude)) {}

  std::string greeting() override {
    std::string out;
    if (!prelude_.empty()) {
      words(out, {prelude_});
    }
    return out;
  }

  uint64_t answers_to_greeting() const override { return prelude_.empty() ? 0 : 1; }

  void encode(const Operation& operation, std::string& out) override {
    switch (operation.kind) {
      case Operation::Kind::kSet:
        return words(out, {"SET", key_name("key:", operation.keys[0]), value_});
      case Operation::Kind::kGet:
        return words(out, {"GET", key_name("key:", operation.keys[0])});
      case Operation::Kind::kIncr:
        return words(out, {"INCR", key_name("counter:", operation.keys[0])});
      case Operation::Kind::kPacked:
        out += operation.packed;
        return;
      case Operation::Kind::kMset:
        std::vector<std::string> all{"MSET"};
        for (const uint64_t key : operation.keys) {
          all.push_back(key_name("key:", key));
          all.push_back(value_);
        }
        return words(out, all);
    }
  }

  Answers parse(std::string& input, std::string&) override {
    Answers answers;
    size_t at = 0;
    while (at < input.size()) {
      const size_t next = end_of_reply(input, at, answers);
      if (answers.broken) {
        return answers;
      }
      if (next == std::string::npos) {
        break;
      }
      if (input[at] == '-' && ++answers.bad == 1) {
        answers.first_error = input.substr(at + 1, input.find("\r\n", at) - at - 1);
      }
      answers.good += input[at] != '-';
      at = next;
    }
    input.erase(0, at);
    return answers;
  }

 private:
  // Where the reply that begins at `at` ends, with all that is in it; npos: it is not whole yet.
  static size_t end_of_reply(const std::string& input, size_t at, Answers& answers) {
    for (long left = 1; left > 0; --left) {
      const size_t end = input.find("\r\n", at);
      if (end == std::string::npos) {
        return end;
      }
      long number = 0;
      std::from_chars(&input[at + 1], &input[end], number);
      const char kind = input[at];
      at = end + 2;
      if (kind == '$' && number >= 0) {
        at += static_cast<size_t>(number) + 2;
      } else if (kind == '*' && number > 0) {
        left += number;
      } else if (std::strchr("$*+:-", kind) == nullptr) {
        answers.broken = true;
        return at;
      }
      if (at > input.size() || (left > 1 && at == input.size())) {
        return std::string::npos;
      }
    }
    return at;
  }

  static void words(std::string& out, const std::vector<std::string>& all) {
    out += '*' + std::to_string(all.size()) + "\r\n";
    for (const std::string& word : all) {
      out += '$';
      out += std::to_string(word.size());
      out += "\r\n";
      out += word;
      out += "\r\n";
    }
  }

  std::string value_;
  std::string prelude_;
};

// ---------------------------------------------------------------- etcd

// gRPC as etcd's own clients speak it: one HTTP/2 stream per call (RFC 7540), headers as HPACK
// literals without Huffman code (RFC 7541, 6.2.2), the message with gRPC's five bytes before it.
// Answers are judged without decoding headers: a call that failed has trailers and no message.
class Etcd : public Protocol {
 public:
  explicit Etcd(std::string value) : value_(std::move(value)) {}

  std::string greeting() override {
    std::string out = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    frame(out, kSettings, 0, 0, "");
    allow(out, 1u << 30);
    return out;
  }

  uint64_t answers_to_greeting() const override { return 0; }

  void encode(const Operation& operation, std::string& out) override {
    const bool put = operation.kind == Operation::Kind::kSet;
    const std::string key = key_name("key:", operation.keys[0]);
    std::string message;
    field(message, 1, key);  // PutRequest and RangeRequest alike; a range of one key
    if (put) {
      field(message, 2, value_);
    }
    frame(out, kHeaders, kEndHeaders, stream_, headers(put ? "Put" : "Range"));
    const std::string body = '\0' + big_endian(static_cast<uint32_t>(message.size())) + message;
    for (size_t at = 0; at < body.size(); at += kFrameMax) {
      const bool last = body.size() - at <= kFrameMax;
      frame(out, kData, last ? kEndStream : 0, stream_, body.substr(at, kFrameMax));
    }
    stream_ += 2;
  }

  Answers parse(std::string& input, std::string& out) override {
    Answers answers;
    size_t at = 0;
    while (input.size() - at >= kFrameHead) {
      const auto byte = [&](size_t i) { return static_cast<uint8_t>(input[at + i]); };
      const size_t length = static_cast<size_t>(byte(0) << 16 | byte(1) << 8 | byte(2));
      if (input.size() - at < kFrameHead + length) {
        break;
      }
      const uint8_t flags = byte(4);
      const std::string_view payload(&input[at + kFrameHead], length);
      take(byte(3), flags, payload, answers, out);
      at += kFrameHead + length;
      received_ += length;
    }
    input.erase(0, at);
    if (received_ > 1u << 24) {
      allow(out, static_cast<uint32_t>(received_));
      received_ = 0;
    }
    return answers;
  }

 private:
  static constexpr size_t kFrameHead = 9;
  static constexpr size_t kFrameMax = 16384;  // of a payload, unless the server allows more (4.2)
  static constexpr uint8_t kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kPing = 6,
                           kGoAway = 7, kWindow = 8;
  static constexpr uint8_t kEndStream = 1, kAck = 1, kEndHeaders = 4;

  void take(
      uint8_t type, uint8_t flags, std::string_view payload, Answers& answers, std::string& out) {
    if (type == kData) {
      has_message_ = true;  // one call at a time on a connection, so it is that call's
    } else if (type == kReset || (type == kHeaders && (flags & kEndStream) != 0)) {
      if (type == kHeaders && has_message_) {
        ++answers.good;
      } else if (++answers.bad == 1) {
        answers.first_error = "the call failed: " + printable(payload);
      }
      has_message_ = false;
    } else if (type == kSettings && (flags & kAck) == 0) {
      frame(out, kSettings, kAck, 0, "");
    } else if (type == kPing && (flags & kAck) == 0) {
      frame(out, kPing, kAck, 0, std::string(payload));
    } else if (type == kGoAway) {
      answers.broken = true;
    }
  }

  static std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text) {
      out += c >= ' ' && c <= '~' ? c : '.';
    }
    return out;
  }

  static std::string big_endian(uint32_t number) {
    return {static_cast<char>(number >> 24), static_cast<char>(number >> 16),
            static_cast<char>(number >> 8), static_cast<char>(number)};
  }

  static void frame(
      std::string& out, uint8_t type, uint8_t flags, uint32_t stream, const std::string& payload) {
    out += big_endian(static_cast<uint32_t>(payload.size())).substr(1);
    out += static_cast<char>(type);
    out += static_cast<char>(flags);
    out += big_endian(stream);
    out += payload;
  }

  // Lets the server send so many more bytes on this connection.
  static void allow(std::string& out, uint32_t bytes) {
    frame(out, kWindow, 0, 0, big_endian(bytes));
  }

  // Protocol Buffers: number << 3 | 2 (bytes), length as a varint.
  static void field(std::string& out, int number, const std::string& bytes) {
    out += static_cast<char>(number << 3 | 2);
    size_t length = bytes.size();
    for (; length >= 0x80; length >>= 7) {
      out += static_cast<char>((length & 0x7f) | 0x80);
    }
    out += static_cast<char>(length);
    out += bytes;
  }

  static std::string headers(const std::string& method) {
    std::string out = "\x83\x86";  // :method POST, :scheme http, from the static table
    const auto literal = [&out](const std::string& name, const std::string& text) {
      out += '\0';
      out += static_cast<char>(name.size());
      out += name;
      out += static_cast<char>(text.size());
      out += text;
    };
    literal(":path", "/etcdserverpb.KV/" + method);
    literal(":authority", "localhost");
    literal("content-type", "application/grpc");
    literal("te", "trailers");
    return out;
  }

  std::string value_;
  uint32_t stream_ = 1;
  bool has_message_ = false;
  size_t received_ = 0;
};

}  // namespace

std::unique_ptr<Protocol> make_redis(std::string value, std::string prelude) {
  return std::make_unique<Redis>(std::move(value), std::move(prelude));
}

std::unique_ptr<Protocol> make_etcd(std::string value) {
  return std::make_unique<Etcd>(std::move(value));
}

}  // namespace kiwi::bench
