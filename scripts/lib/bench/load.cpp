// A load generator for what redis-benchmark cannot do: mixes, commands of every kind with names and
// values drawn (load_templates.hpp), connections that first say READONLY, loads at a fixed rate
// whose latency counts from the moment the command was due, and etcd. One thread, epoll. Prints one
// JSON object; --samples writes (due time, latency) of every operation.
//
// Closed loop (the usual): as redis-benchmark, a connection sends --pipeline commands, waits for
// all their answers, sends the next. Open loop (--rate): commands are due at fixed intervals on the
// connections in turn, whether or not earlier ones were answered.

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <fstream>
#include <map>
#include <memory>
#include <netinet/tcp.h>
#include <random>
#include <stdexcept>
#include <string>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <vector>

#include "scripts/lib/bench/load_protocols.hpp"
#include "scripts/lib/bench/load_templates.hpp"

namespace kiwi::bench {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kPatience = 60 * kSecond;  // without any answer
constexpr uint64_t kFillKeys = 100;           // per command of --mix fill

volatile std::sig_atomic_t told_to_end = 0;  // by SIGTERM: what was sent is still waited for

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "load: %s\n", why.c_str());
  std::exit(1);
}

// CLOCK_MONOTONIC, which is Python's time.monotonic(): samples and phases share it.
uint64_t now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * kSecond + static_cast<uint64_t>(time.tv_nsec);
}

struct Options {
  std::map<std::string, std::string> given;

  std::string text(const std::string& name, const std::string& usual) const {
    const auto found = given.find(name);
    return found == given.end() ? usual : found->second;
  }
  uint64_t number(const std::string& name, uint64_t usual) const {
    const auto found = given.find(name);
    return found == given.end() ? usual : std::strtoull(found->second.c_str(), nullptr, 10);
  }
};

// set, get, incr, mset (10 keys), mixed (half set, half get), fill (every key once, in order),
// templates
class Mix {
 public:
  Mix(const std::string& name,
      bool etcd,
      uint64_t keys,
      uint64_t first,
      uint64_t seed,
      const std::string& templates)
      : name_(name),
        fill_keys_(etcd ? 1 : kFillKeys),
        keys_(keys),
        next_(first),
        end_(first + keys),
        random_(seed) {
    const std::vector<std::string> known{"set", "get", "incr", "mset", "mixed", "fill"};
    if (name == "templates" && !etcd) {
      templates_ = std::make_unique<Templates>(templates, first);
    } else if (std::find(known.begin(), known.end(), name) == known.end()) {
      fail("there is no --mix " + name);
    }
  }

  bool done() const { return name_ == "fill" && next_ >= end_; }

  Operation draw() {
    using Kind = Operation::Kind;
    if (templates_) {
      return {Kind::kPacked, {}, templates_->draw(random_)};
    }
    if (name_ == "fill") {
      Operation all{fill_keys_ == 1 ? Kind::kSet : Kind::kMset, {}, {}};
      for (uint64_t i = 0; i < fill_keys_ && next_ < end_; ++i) {
        all.keys.push_back(next_++);
      }
      return all;
    }
    if (name_ == "mset") {
      Operation ten{Kind::kMset, {}, {}};
      for (int i = 0; i < 10; ++i) {
        ten.keys.push_back(random_() % keys_);
      }
      return ten;
    }
    const bool get = name_ == "get" || (name_ == "mixed" && (random_() & 1u << 20) != 0);
    const Kind kind = name_ == "incr" ? Kind::kIncr : get ? Kind::kGet : Kind::kSet;
    return {kind, {random_() % keys_}, {}};
  }

 private:
  std::string name_;
  uint64_t fill_keys_, keys_, next_, end_;
  std::mt19937_64 random_;
  std::unique_ptr<Templates> templates_;
};

struct Connection {
  int socket = -1;
  std::unique_ptr<Protocol> protocol;
  std::string input, output;
  std::deque<uint64_t> due;  // of what is not answered yet
  uint64_t greetings = 0;    // answers to the greeting that are still to come
  bool wants_write = false;
};

struct Sample {
  uint64_t due, latency;  // ns
};

class Load {
 public:
  explicit Load(const Options& options)
      : clients_(options.number("clients", 50)),
        pipeline_(options.number("pipeline", 1)),
        requests_(options.number("requests", 0)),
        seconds_(options.number("seconds", 0)),
        rate_(options.number("rate", 0)),
        mix_(options.text("mix", "set"),
             options.text("protocol", "redis") == "etcd",
             options.number("keys", 100'000),
             options.number("first", 0),
             options.number("seed", 1),
             options.text("templates", "")),
        fill_(options.text("mix", "set") == "fill") {
    if (requests_ + seconds_ == 0 && !fill_) {
      fail("--requests or --seconds");
    }
    const std::string value(options.number("value-bytes", 64), 'x');
    const bool etcd = options.text("protocol", "redis") == "etcd";
    if (etcd && pipeline_ > 1) {
      fail("one call at a time on a connection to etcd");
    }
    poll_ = epoll_create1(0);
    connections_.resize(clients_);
    for (Connection& connection : connections_) {
      connection.protocol =
          etcd ? make_etcd(value) : make_redis(value, options.text("prelude", ""));
      connect(connection, static_cast<uint16_t>(options.number("port", 6379)));
    }
  }

  void run() {
    started_ = last_answer_ = now();
    stop_at_ = seconds_ == 0 ? UINT64_MAX : started_ + seconds_ * kSecond;
    if (rate_ > 0) {
      start_timer();
    } else {
      for (Connection& connection : connections_) {
        send_batch(connection);
      }
    }
    epoll_event events[256];
    while (outstanding_ > 0 || (rate_ > 0 && !over(next_due_))) {
      const int count = epoll_wait(poll_, events, 256, 1000);
      for (int i = 0; i < count; ++i) {
        if (events[i].data.ptr == nullptr) {
          send_due();
          continue;
        }
        Connection& connection = *static_cast<Connection*>(events[i].data.ptr);
        if ((events[i].events & EPOLLOUT) != 0) {
          flush(connection);
        }
        if ((events[i].events & ~static_cast<uint32_t>(EPOLLOUT)) != 0) {
          receive(connection);
        }
      }
      if (now() - last_answer_ > kPatience) {
        fail("no answer for a minute");
      }
    }
    ended_ = last_answer_;
  }

  void report(const std::string& samples_file) {
    if (!samples_file.empty()) {
      std::ofstream file(samples_file, std::ios::binary);
      file.write(reinterpret_cast<const char*>(samples_.data()),
                 static_cast<std::streamsize>(samples_.size() * sizeof(Sample)));
      if (!file.flush()) {
        fail("cannot write " + samples_file);
      }
    }
    std::vector<uint64_t> sorted;
    for (const Sample& sample : samples_) {
      sorted.push_back(sample.latency);
    }
    std::sort(sorted.begin(), sorted.end());
    const auto quantile = [&sorted](double part) {
      const auto at = static_cast<size_t>(part * static_cast<double>(sorted.size()));
      return sorted.empty() ? 0.0
                            : static_cast<double>(sorted[std::min(at, sorted.size() - 1)]) / 1e6;
    };
    const double seconds = static_cast<double>(ended_ - started_) / static_cast<double>(kSecond);
    std::string error;
    for (const char c : first_error_) {
      error += c == '"' || c == '\\' ? '\'' : c;
    }
    std::printf(
        "{\"requests\": %zu, \"seconds\": %.6f, \"rps\": %.3f, \"p50_ms\": %.4f, \"p99_ms\": %.4f, "
        "\"p999_ms\": %.4f, \"max_ms\": %.4f, \"errors\": %llu, \"first_error\": \"%s\"}\n",
        samples_.size(), seconds, static_cast<double>(samples_.size()) / seconds, quantile(0.5),
        quantile(0.99), quantile(0.999), quantile(1.0), static_cast<unsigned long long>(errors_),
        error.c_str());
  }

 private:
  void connect(Connection& connection, uint16_t port) {
    connection.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connection.socket < 0 ||
        ::connect(connection.socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      fail("cannot connect to port " + std::to_string(port) + ": " + std::strerror(errno));
    }
    const int yes = 1;
    setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
    epoll_ctl(poll_, EPOLL_CTL_ADD, connection.socket, &event);
    connection.greetings = connection.protocol->answers_to_greeting();
    connection.output = connection.protocol->greeting();
    flush(connection);
  }

  bool over(uint64_t time) const {
    return told_to_end != 0 || mix_.done() || time >= stop_at_ ||
           (requests_ > 0 && sent_ >= requests_);
  }

  void send(Connection& connection, uint64_t due) {
    connection.protocol->encode(mix_.draw(), connection.output);
    connection.due.push_back(due);
    ++sent_;
    ++outstanding_;
  }

  void send_batch(Connection& connection) {
    const uint64_t time = now();
    for (uint64_t i = 0; i < pipeline_ && !over(time); ++i) {
      send(connection, time);
    }
    flush(connection);
  }

  void start_timer() {
    timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
    epoll_ctl(poll_, EPOLL_CTL_ADD, timer_, &event);
    next_due_ = started_;
    set_timer();
  }

  void set_timer() const {
    itimerspec when{};
    when.it_value.tv_sec = static_cast<time_t>(next_due_ / kSecond);
    when.it_value.tv_nsec = static_cast<long>(next_due_ % kSecond);
    timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
  }

  void send_due() {
    uint64_t expired = 0;
    [[maybe_unused]] const ssize_t got = read(timer_, &expired, sizeof expired);
    for (const uint64_t time = now(); next_due_ <= time && !over(next_due_);) {
      Connection& connection = connections_[sent_ % clients_];
      send(connection, next_due_);
      flush(connection);
      next_due_ = started_ + sent_ * kSecond / rate_;
    }
    if (!over(next_due_)) {
      set_timer();
    }
  }

  void flush(Connection& connection) {
    while (!connection.output.empty()) {
      const ssize_t wrote = ::send(connection.socket, connection.output.data(),
                                   connection.output.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (wrote < 0 && errno != EAGAIN) {
        fail(std::string("a connection broke: ") + std::strerror(errno));
      }
      if (wrote < 0) {
        break;
      }
      connection.output.erase(0, static_cast<size_t>(wrote));
    }
    if (connection.wants_write != !connection.output.empty()) {
      connection.wants_write = !connection.output.empty();
      epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
      event.events |= connection.wants_write ? static_cast<uint32_t>(EPOLLOUT) : 0;
      epoll_ctl(poll_, EPOLL_CTL_MOD, connection.socket, &event);
    }
  }

  void receive(Connection& connection) {
    char buffer[65536];
    const ssize_t got = recv(connection.socket, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) {
      return;
    }
    if (got <= 0) {
      fail("the server closed a connection");
    }
    connection.input.append(buffer, static_cast<size_t>(got));
    const Answers answers = connection.protocol->parse(connection.input, connection.output);
    if (answers.broken) {
      fail("the server says what is not the protocol");
    }
    uint64_t count = answers.good + answers.bad;
    const uint64_t greetings = std::min(connection.greetings, count);
    connection.greetings -= greetings;
    count -= greetings;
    errors_ += answers.bad;  // a refused greeting too: it made the load another one
    if (answers.bad > 0 && first_error_.empty()) {
      first_error_ = answers.first_error;
    }
    if (count > connection.due.size()) {
      fail("more answers than commands");
    }
    last_answer_ = now();
    for (; count > 0; --count, --outstanding_) {
      samples_.push_back({connection.due.front(), last_answer_ - connection.due.front()});
      connection.due.pop_front();
    }
    if (rate_ == 0 && connection.due.empty()) {
      send_batch(connection);
    } else {
      flush(connection);
    }
  }

  uint64_t clients_, pipeline_, requests_, seconds_, rate_;
  Mix mix_;
  bool fill_;
  int poll_ = -1, timer_ = -1;
  std::vector<Connection> connections_;
  uint64_t started_ = 0, ended_ = 0, stop_at_ = 0, next_due_ = 0, last_answer_ = 0;
  uint64_t sent_ = 0, outstanding_ = 0, errors_ = 0;
  std::string first_error_;
  std::vector<Sample> samples_;
};

}  // namespace
}  // namespace kiwi::bench

int main(int count, char** words) {
  kiwi::bench::Options options;
  for (int i = 1; i + 1 < count; i += 2) {
    if (std::strncmp(words[i], "--", 2) != 0) {
      kiwi::bench::fail(std::string("what is ") + words[i] + "?");
    }
    options.given[words[i] + 2] = words[i + 1];
  }
  std::signal(SIGTERM, [](int) { kiwi::bench::told_to_end = 1; });
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  try {
    kiwi::bench::Load load(options);
    load.run();
    load.report(options.text("samples", ""));
  } catch (const std::runtime_error& error) {
    kiwi::bench::fail(error.what());
  }
  return 0;
}
