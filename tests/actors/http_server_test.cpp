// The HTTP port against clients that send anything, slowly, or nothing: real sockets on loopback.
#include "actors/http/http_server.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <atomic>
#include <list>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"

namespace kiwi::actors {
namespace {

using resp::web::WebAnswer;
using resp::web::WebRequest;

constexpr int kPatienceMs = 20'000;  // of a test that waits for what must come

int listening_socket(uint16_t& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(fd, 64) == 0);
  REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port = ntohs(address.sin_port);
  return fd;
}

class Client {
 public:
  explicit Client(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(const std::string& bytes) const {
    const ssize_t ignored = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    static_cast<void>(ignored);
  }
  // Until `end` came, or the connection ended.
  std::string read_until(const std::string& end) {
    while (got_.find(end) == std::string::npos && more()) {
    }
    return std::exchange(got_, {});
  }
  std::string read_all() {
    while (more()) {
    }
    return std::exchange(got_, {});
  }

 private:
  bool more() {
    pollfd waiting{fd_, POLLIN, 0};
    REQUIRE(::poll(&waiting, 1, kPatienceMs) == 1);
    char buffer[4096];
    const ssize_t size = ::recv(fd_, buffer, sizeof(buffer), 0);
    if (size <= 0) {
      return false;
    }
    got_.append(buffer, static_cast<size_t>(size));
    return true;
  }
  int fd_;
  std::string got_;
};

// Answers with what it was asked.
struct Echo {
  explicit Echo(HttpLimits limits = {})
      : server(
            [this](const WebRequest& request, const HttpServer::Respond& respond) {
              ++requests;
              WebAnswer answer =
                  WebAnswer::text(200, request.target + " " + request.host + " " + request.body);
              answer.headers.emplace_back("X-Loopback", request.loopback ? "yes" : "no");
              respond(answer);
            },
            limits) {
    server.start({listening_socket(port)});
  }

  uint16_t port = 0;
  std::atomic<int> requests{0};
  HttpServer server;
};

}  // namespace

TEST_CASE("requests are answered one after the other on one connection") {
  Echo echo;
  Client client(echo.port);
  client.send(
      "GET /a HTTP/1.1\r\nHost: h\r\n\r\nPOST /b HTTP/1.1\r\nHost: h\r\n"
      "Content-Length: 4\r\n\r\nbody");
  const std::string said = client.read_until("/b h body\n");
  CHECK(said.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(said.find("/a h \n") < said.find("/b h body\n"));
  CHECK(said.find("X-Loopback: yes") != std::string::npos);
  CHECK(said.find("nosniff") != std::string::npos);
  client.send("HEAD /c HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const std::string head = client.read_all();
  CHECK(head.find("Content-Length: 6\r\n") != std::string::npos);
  CHECK(head.ends_with("\r\n\r\n"));
}

TEST_CASE("what is too long, or no request, is told so and its connection ends") {
  HttpLimits limits;
  limits.header_bytes = 1024;
  limits.body_bytes = 1024;
  Echo echo(limits);
  const std::string long_text(3000, 'x');
  const std::vector<std::string> bad{
      "GET /" + long_text + " HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET / HTTP/1.1\r\nX: " + long_text + "\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3000\r\n\r\n" + long_text,
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n" + long_text,
      "*1\r\n$4\r\nPING\r\n",
      std::string("\x16\x03\x01\x02\x00\x01", 6) + "\r\n\r\n",
      "GET / HTTP/9.9\r\n\r\n",
      "GET\r\n\r\n",
      "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
      std::string(5000, '\0')};
  for (const std::string& bytes : bad) {
    Client client(echo.port);
    client.send(bytes);
    const std::string said = client.read_all();
    CHECK_MESSAGE((said.empty() || said.starts_with("HTTP/1.1 4")), said);
  }
  CHECK(echo.requests == 0);
  Client client(echo.port);
  client.send("GET /still HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(client.read_until("\n/still").find("200 OK") != std::string::npos);
}

TEST_CASE("random bytes do no harm") {
  HttpLimits limits;
  limits.request_ms = 200;
  Echo echo(limits);
  Prng random(17);
  for (int round = 0; round < 200; ++round) {
    std::string bytes = "GET /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
    const uint64_t changes = 1 + random.below(8);
    for (uint64_t i = 0; i < changes; ++i) {
      bytes[random.below(bytes.size())] = static_cast<char>(random.below(256));
    }
    Client client(echo.port);
    client.send(bytes.substr(0, random.below(bytes.size()) + 1));
  }
  Client client(echo.port);
  client.send("GET /still HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(client.read_until("/still h").find("200 OK") != std::string::npos);
}

TEST_CASE("who says nothing, or half a request, is cut off, and gives his place before that") {
  HttpLimits limits;
  limits.connections = 2;
  limits.request_ms = 300;
  Echo echo(limits);
  Client silent(echo.port);
  Client half(echo.port);
  half.send("GET /half HTTP/1.1\r\nHo");
  Client third(echo.port);
  third.send("GET /third HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(third.read_until("/third h").find("200 OK") != std::string::npos);
  CHECK(silent.read_all().empty());
  CHECK(half.read_all().empty());
}

TEST_CASE("who takes no answer gives his place, and keeps nobody out meanwhile") {
  HttpLimits limits;
  limits.connections = 3;
  const std::string much(32 << 20, 'x');
  uint16_t port = 0;
  std::atomic<int> large{0};
  HttpServer server(
      [&](const WebRequest& request, const HttpServer::Respond& respond) {
        const bool is_large = request.target == "/much";
        large += is_large ? 1 : 0;
        respond(WebAnswer::text(200, is_large ? much : request.target));
      },
      limits);
  server.start({listening_socket(port)});
  std::list<Client> slow;
  for (int i = 1; i <= 3; ++i) {
    slow.emplace_back(port).send("GET /much HTTP/1.1\r\nHost: h\r\n\r\n");
    while (large < i) {
      ::poll(nullptr, 0, 5);
    }
  }
  for (int i = 0; i < 5; ++i) {
    Client client(port);
    client.send("GET /small HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(client.read_until("/small\n").find("200 OK") != std::string::npos);
  }
  CHECK(slow.front().read_all().size() < much.size());
}

TEST_CASE("the one that waits longest gives his place, not the one that came first") {
  HttpLimits limits;
  limits.connections = 2;
  Echo echo(limits);
  Client first(echo.port);
  first.send("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(first.read_until("/1 h").find("200 OK") != std::string::npos);
  Client silent(echo.port);
  silent.send("GET /silent HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(silent.read_until("/silent h").find("200 OK") != std::string::npos);
  first.send("GET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(first.read_until("/2 h").find("200 OK") != std::string::npos);
  Client third(echo.port);
  third.send("GET /3 HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(third.read_until("/3 h").find("200 OK") != std::string::npos);
  CHECK(silent.read_all().find("HTTP") == std::string::npos);
  first.send("GET /4 HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(first.read_until("/4 h").find("200 OK") != std::string::npos);
}

TEST_CASE("what is asked and not answered is counted") {
  std::vector<HttpServer::Respond> kept;
  std::atomic<size_t> most{0};
  std::atomic<size_t> asked{0};
  uint16_t port = 0;
  HttpServer* self = nullptr;
  HttpServer server([&](const WebRequest& request, HttpServer::Respond respond) {
    most = std::max(most.load(), self->unanswered());
    if (request.target == "/all") {
      for (const HttpServer::Respond& one : std::exchange(kept, {})) {
        one(WebAnswer::text(200, "late"));
      }
      return respond(WebAnswer::text(200, "all"));
    }
    kept.push_back(std::move(respond));
    ++asked;
  });
  self = &server;
  server.start({listening_socket(port)});
  std::list<Client> clients;
  for (size_t i = 1; i <= 3; ++i) {
    clients.emplace_back(port).send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    while (asked < i) {
      ::poll(nullptr, 0, 5);
    }
  }
  CHECK(most == 3);
  Client client(port);
  client.send("GET /all HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(client.read_until("all\n").find("200 OK") != std::string::npos);
  CHECK(most == 4);
  for (Client& one : clients) {
    CHECK(one.read_until("late\n").find("200 OK") != std::string::npos);
  }
  most = 0;
  client.send("GET /all HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(client.read_until("all\n").find("200 OK") != std::string::npos);
  CHECK(most == 1);
}

TEST_CASE("a client that takes no answer is cut off") {
  HttpLimits limits;
  limits.answer_ms = 300;
  const std::string much(32 << 20, 'x');
  uint16_t port = 0;
  HttpServer server(
      [&much](const WebRequest&, const HttpServer::Respond& respond) {
        respond(WebAnswer::text(200, much));
      },
      limits);
  server.start({listening_socket(port)});
  Client slow(port);
  slow.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  std::atomic<bool> later{false};
  server.after_ms(1500, [&later] { later = true; });
  while (!later) {
    ::poll(nullptr, 0, 20);
  }
  CHECK(slow.read_all().size() < much.size());
}

TEST_CASE("an answer may come late, from anywhere, and for nobody any more") {
  HttpServer::Respond kept;
  std::atomic<bool> asked{false};
  uint16_t port = 0;
  {
    HttpServer server([&](const WebRequest&, HttpServer::Respond respond) {
      kept = std::move(respond);
      asked = true;
    });
    server.start({listening_socket(port)});
    Client client(port);
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    while (!asked) {
      ::poll(nullptr, 0, 5);
    }
    kept(WebAnswer::text(202, "late"));
    CHECK(client.read_until("late\n").find("202") != std::string::npos);
    kept(WebAnswer::text(200, "twice"));
  }
  kept(WebAnswer::text(200, "after its end"));
}

}  // namespace kiwi::actors
