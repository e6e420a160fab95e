// Clients that subscribe to one channel and count what comes: subscribers CHANNEL COUNT PORT...
//
// They are spread over the ports in turn. Says "ready" when all are subscribed; after SIGTERM
// prints one JSON object: messages and bytes received, and how many of the clients the servers
// closed. One thread.

#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace kiwi::bench {
namespace {

constexpr int kTick = 50;  // ms between looks at whether to end

volatile std::sig_atomic_t told_to_end = 0;

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "subscribers: %s\n", why.c_str());
  std::exit(1);
}

struct Client {
  int socket = -1;
  bool at_line = true;  // the next byte begins a line
};

// What counts as a message: a line that begins with '*', for messages themselves hold neither that
// nor line ends. The answer to SUBSCRIBE is one, too.
class Subscribers {
 public:
  Subscribers(const std::string& channel, const std::vector<uint16_t>& ports, size_t count)
      : poll_(epoll_create1(EPOLL_CLOEXEC)), clients_(count) {
    const std::string ask =
        "*2\r\n$9\r\nSUBSCRIBE\r\n$" + std::to_string(channel.size()) + "\r\n" + channel + "\r\n";
    for (size_t i = 0; i < count; ++i) {
      connect(clients_[i], ports[i % ports.size()]);
      if (::send(clients_[i].socket, ask.data(), ask.size(), MSG_NOSIGNAL) !=
          static_cast<ssize_t>(ask.size())) {
        fail("a connection broke");
      }
    }
  }

  void wait_until_subscribed() {
    while (messages_ < clients_.size()) {
      if (closed_ > 0 || told_to_end != 0) {
        fail("a server closed a connection");
      }
      turn();
    }
    messages_ = bytes_ = 0;
  }

  void turn() {
    epoll_event events[256];
    const int count = epoll_wait(poll_, events, 256, kTick);
    for (int i = 0; i < count; ++i) {
      receive(*static_cast<Client*>(events[i].data.ptr));
    }
  }

  // Until nothing has come for ten ticks.
  void drain() {
    uint64_t before = UINT64_MAX;
    for (int quiet = 0; quiet < 10; quiet = before == bytes_ ? quiet + 1 : 0) {
      before = bytes_;
      turn();
    }
  }

  void report() const {
    std::printf("{\"messages\": %llu, \"bytes\": %llu, \"closed\": %zu}\n",
                static_cast<unsigned long long>(messages_), static_cast<unsigned long long>(bytes_),
                closed_);
  }

 private:
  void connect(Client& client, uint16_t port) {
    client.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (client.socket < 0 ||
        ::connect(client.socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      fail("cannot connect to port " + std::to_string(port) + ": " + std::strerror(errno));
    }
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &client}};
    epoll_ctl(poll_, EPOLL_CTL_ADD, client.socket, &event);
  }

  void receive(Client& client) {
    static char buffer[1 << 18];
    const ssize_t got = recv(client.socket, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
      return;
    }
    if (got <= 0) {
      ++closed_;
      close(client.socket);
      return;
    }
    const std::string_view data(buffer, static_cast<size_t>(got));
    messages_ += client.at_line && data[0] == '*';
    for (size_t at = data.find("\n*"); at != data.npos; at = data.find("\n*", at + 1)) {
      ++messages_;
    }
    client.at_line = data.back() == '\n';
    bytes_ += data.size();
  }

  int poll_;
  std::vector<Client> clients_;
  uint64_t messages_ = 0, bytes_ = 0;
  size_t closed_ = 0;
};

}  // namespace
}  // namespace kiwi::bench

int main(int count, char** words) {
  if (count < 4) {
    kiwi::bench::fail("subscribers CHANNEL COUNT PORT...");
  }
  std::signal(SIGTERM, [](int) { kiwi::bench::told_to_end = 1; });
  std::vector<uint16_t> ports;
  for (int i = 3; i < count; ++i) {
    ports.push_back(static_cast<uint16_t>(std::strtoul(words[i], nullptr, 10)));
  }
  kiwi::bench::Subscribers all(words[1], ports, std::strtoul(words[2], nullptr, 10));
  all.wait_until_subscribed();
  std::puts("ready");
  std::fflush(stdout);
  while (kiwi::bench::told_to_end == 0) {
    all.turn();
  }
  all.drain();
  all.report();
  return 0;
}
