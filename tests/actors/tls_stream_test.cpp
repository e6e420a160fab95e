// TlsPort and TlsStream over a stream of the test's own: who gets in, in which order what happens,
// what is held, and how it ends.
#include "actors/clients/tls_stream.hpp"

#include <deque>
#include <memory>
#include <openssl/ssl.h>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "actors/clients/tls_port.hpp"
#include "certificates.hpp"
#include "tls_pair.hpp"

namespace kiwi::actors {

namespace {

// The transport: takes `room` bytes, the rest is unsent until sent() says otherwise.
class Below final : public ByteStream {
 public:
  void start(Events events) override { events_ = std::move(events); }
  void pause() override { paused = true; }
  void resume() override { paused = false; }
  void write(std::string bytes) override {
    REQUIRE_FALSE(closed);
    unsent_ += bytes;
    if (room) {
      take(unsent_.size());
    }
  }
  size_t unsent_bytes() const override { return unsent_.size(); }
  bool has_unread() const override { return false; }
  void cork(bool) override {}
  void close() override {
    closed = true;
    events_ = {};
  }
  void finish() override { finished = true; }

  void bring(std::string_view bytes) {
    const auto received = events_.received;
    if (received) {
      received(bytes);
    }
  }
  void end() {
    const auto ended = events_.closed;
    close();
    if (ended) {
      ended();
    }
  }
  void take(size_t bytes) {
    wire.append(unsent_, 0, bytes);
    unsent_.erase(0, bytes);
  }
  void drain() {
    take(unsent_.size());
    const auto drained = events_.drained;
    if (drained) {
      drained();
    }
  }

  std::string wire;  // what went, encrypted
  bool room = true;
  bool paused = false;
  bool closed = false;
  bool finished = false;

 private:
  Events events_;
  std::string unsent_;
};

struct Fixture {
  Fixture() {
    options.tls_port = 1;
    const CertificateFiles files = authority.sign();
    options.tls_cert_file = files.cert;
    options.tls_key_file = files.key;
    options.tls_ca_cert_file = authority.cert();
    options.tls_auth_clients = config::TlsAuthClients::kNo;
    TlsPort::Surroundings around;
    around.metrics = &metrics;
    around.post = [this](std::function<void()> work) { posted.push_back(std::move(work)); };
    around.now_ms = [this] { return now_ms; };
    around.wall_s = [] { return int64_t{1'700'000'000}; };
    port = std::make_shared<TlsPort>(std::move(around));
    const Result<void> loaded = port->load(options);
    REQUIRE_MESSAGE(loaded, (loaded ? "" : loaded.error().text));
  }
  ~Fixture() { port->close(); }

  void run() {
    for (size_t rounds = 0; !posted.empty(); ++rounds) {
      REQUIRE(rounds < 10'000);
      const auto work = std::move(posted.front());
      posted.pop_front();
      work();
    }
  }

  Authority authority;
  config::Options options;
  config::ClientMetrics metrics;
  std::deque<std::function<void()>> posted;
  int64_t now_ms = 1000;
  std::shared_ptr<TlsPort> port;
};

// A client of the port, and the owner of its stream once it is open.
struct Client {
  explicit Client(Fixture& fixture) : Client(fixture, client_of(fixture.authority.cert())) {}
  Client(Fixture& fixture, const TlsSettings& settings) : f(fixture), engine(made(settings)) {
    f.port->welcome(below, "a test",
                    [this](std::shared_ptr<TlsStream> open) { stream = std::move(open); });
  }
  ~Client() {
    if (stream) {
      stream->close();
    }
  }
  // Both sides speak until nothing is left.
  void talk() {
    do {
      if (engine.has_output()) {
        below->bring(engine.take_output());
      }
      f.run();
      hear();
    } while (engine.has_output());
  }
  void hear() {
    const std::string bytes = std::exchange(below->wire, {});
    if (engine.state() != TlsState::kFailed && !bytes.empty()) {
      engine.receive(bytes, heard);
    }
  }
  void own() {
    ByteStream::Events events;
    events.received = [this](std::string_view bytes) { received.append(bytes); };
    events.drained = [this] { ++drained; };
    events.closed = [this] { closed = true; };
    stream->start(std::move(events));
    f.run();
  }

  Fixture& f;
  std::shared_ptr<Below> below = std::make_shared<Below>();
  TlsEngine engine;
  std::shared_ptr<TlsStream> stream;
  std::string heard;     // by the client
  std::string received;  // by the owner
  int drained = 0;
  bool closed = false;
};

}  // namespace

TEST_CASE(
    "a client gets in when its handshake is done, and what it said with it waits for the owner") {
  Fixture f;
  Client client(f);
  CHECK(f.port->strangers() == 1);
  client.below->bring(client.engine.take_output());
  client.hear();
  REQUIRE(client.engine.state() == TlsState::kOpen);
  CHECK(client.stream == nullptr);
  // The end of the handshake and the first command come in one read.
  client.engine.send("PING\r\n");
  client.below->bring(client.engine.take_output());
  REQUIRE(client.stream != nullptr);
  CHECK(f.port->strangers() == 0);
  CHECK(f.metrics.tls_connections_received == 1);
  CHECK(client.below->paused);
  CHECK(client.stream->has_unread());
  client.own();
  CHECK(client.received == "PING\r\n");
  CHECK_FALSE(client.below->paused);
  CHECK_FALSE(client.stream->has_unread());
  client.stream->write("+PONG\r\n");
  client.hear();
  CHECK(client.heard == "+PONG\r\n");
}

TEST_CASE("events never come from inside start()") {
  Fixture f;
  Client client(f);
  client.talk();
  REQUIRE(client.stream != nullptr);
  client.engine.send("PING\r\n");
  client.below->bring(client.engine.take_output());
  ByteStream::Events events;
  bool came = false;
  events.received = [&came](std::string_view) { came = true; };
  client.stream->start(std::move(events));
  CHECK_FALSE(came);
  f.run();
  CHECK(came);
}

TEST_CASE("a long answer is encrypted no faster than it leaves, and arrives whole") {
  Fixture f;
  Client client(f);
  client.talk();
  REQUIRE(client.stream != nullptr);
  client.own();
  std::string answer(8 << 20, '\0');
  for (size_t i = 0; i < answer.size(); ++i) {
    answer[i] = static_cast<char>(i * 2654435761U >> 20);
  }
  client.below->room = false;
  client.stream->write(answer);
  client.stream->write("+OK\r\n");
  CHECK(client.stream->unsent_bytes() >= answer.size());
  CHECK(client.below->unsent_bytes() < TlsStream::kAheadBytes + TlsStream::kPortionBytes + 1024);
  size_t rounds = 0;
  while (client.stream->unsent_bytes() > 0) {
    REQUIRE(++rounds < 1000);
    client.below->drain();
    client.hear();
    CHECK(client.below->unsent_bytes() < TlsStream::kAheadBytes + TlsStream::kPortionBytes + 1024);
  }
  CHECK(client.drained == 1);
  CHECK((client.heard == answer + "+OK\r\n"));
}

TEST_CASE("plain text is answered in plain text, and the connection ends") {
  Fixture f;
  Client client(f);
  client.below->bring("PING\r\n");
  CHECK(client.below->wire.starts_with("-ERR this port speaks TLS"));
  CHECK(client.below->finished);
  CHECK(client.stream == nullptr);
  CHECK(f.metrics.tls_handshake_failures == 1);
  client.below->bring("PING\r\n");  // whatever it says now
  client.below->end();
  CHECK(f.port->strangers() == 0);
}

TEST_CASE("a client that is refused hears why, and is let go of when it stays") {
  Fixture f;
  f.options.tls_auth_clients = config::TlsAuthClients::kYes;
  REQUIRE(f.port->load(f.options));
  Client client(f);  // without a certificate
  client.talk();
  CHECK(client.stream == nullptr);
  CHECK(client.engine.failure() == TlsFailure::kRefused);
  CHECK(f.metrics.tls_handshake_failures == 1);
  CHECK(f.port->strangers() == 1);
  f.now_ms += TlsPort::kHandshakeMs + 1;
  f.port->tick();
  CHECK(client.below->closed);
  CHECK(f.port->strangers() == 0);
  CHECK(f.metrics.tls_handshake_failures == 1);
}

TEST_CASE("who says nothing is ended, and gives way when there are many") {
  Fixture f;
  std::vector<std::unique_ptr<Client>> clients;
  for (size_t i = 0; i < TlsPort::kHandshakesMax; ++i) {
    clients.push_back(std::make_unique<Client>(f));
    ++f.now_ms;
  }
  CHECK(f.port->strangers() == TlsPort::kHandshakesMax);
  Client late(f);
  CHECK(f.port->strangers() == TlsPort::kHandshakesMax);
  CHECK(clients[0]->below->closed);
  CHECK_FALSE(clients[1]->below->closed);
  late.talk();
  CHECK(late.stream != nullptr);
  f.now_ms += TlsPort::kHandshakeMs + 1;
  f.port->tick();
  CHECK(f.port->strangers() == 0);
  CHECK(f.metrics.tls_handshake_failures == TlsPort::kHandshakesMax);
}

TEST_CASE("a turn of the loop does a few steps of handshakes, the others wait and lose nothing") {
  Fixture f;
  std::vector<std::unique_ptr<Client>> clients;
  for (size_t i = 0; i < 3 * TlsPort::kStepsATurn; ++i) {
    clients.push_back(std::make_unique<Client>(f));
    clients.back()->below->bring(clients.back()->engine.take_output());
  }
  size_t answered = 0;
  for (const auto& client : clients) {
    answered += client->below->wire.empty() ? 0 : 1;
    CHECK(client->below->paused == client->below->wire.empty());
  }
  CHECK(answered == TlsPort::kStepsATurn);
  REQUIRE_FALSE(f.posted.empty());
  const auto turn = std::move(f.posted.front());
  f.posted.pop_front();
  turn();
  answered = 0;
  for (const auto& client : clients) {
    answered += client->below->wire.empty() ? 0 : 1;
  }
  CHECK(answered == 2 * TlsPort::kStepsATurn);
  f.run();
  for (const auto& client : clients) {
    client->hear();
    client->talk();
    CHECK(client->stream != nullptr);
  }
}

TEST_CASE("the end is said: by finish() and by close(), and heard") {
  Fixture f;
  for (const bool finishes : {true, false}) {
    Client client(f);
    client.talk();
    REQUIRE(client.stream != nullptr);
    client.own();
    client.stream->write("+OK\r\n");
    finishes ? client.stream->finish() : client.stream->close();
    CHECK(client.below->finished == finishes);
    CHECK(client.below->closed != finishes);
    client.hear();
    CHECK(client.heard == "+OK\r\n");
    CHECK(client.engine.state() == TlsState::kEnded);
  }
  Client polite(f);
  polite.talk();
  REQUIRE(polite.stream != nullptr);
  polite.own();
  polite.engine.send("QUIT\r\n");
  polite.engine.finish();
  polite.below->bring(polite.engine.take_output());
  CHECK(polite.received == "QUIT\r\n");
  CHECK(polite.closed);
  CHECK(polite.below->closed);
}

TEST_CASE("the end waits for what was written before") {
  Fixture f;
  Client client(f);
  client.talk();
  REQUIRE(client.stream != nullptr);
  client.own();
  client.below->room = false;
  client.stream->write("+OK\r\n");
  client.stream->finish();
  CHECK_FALSE(client.below->finished);
  client.below->drain();  // there was room for that, and for no byte more
  CHECK_FALSE(client.below->finished);
  client.below->drain();
  CHECK(client.below->finished);
  client.hear();
  CHECK(client.heard == "+OK\r\n");
  CHECK(client.engine.state() == TlsState::kEnded);
}

TEST_CASE("a record that was changed ends the connection, and its owner hears it once") {
  Fixture f;
  Client client(f);
  client.talk();
  REQUIRE(client.stream != nullptr);
  client.own();
  client.engine.send("SET a 1\r\n");
  std::string bytes = client.engine.take_output();
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  client.below->bring(bytes);
  CHECK(client.closed);
  CHECK(client.received.empty());
  CHECK(client.below->closed);
}

TEST_CASE("who reads slowly and sends a command in pieces is none who floods") {
  Fixture f;
  Client client(f);
  client.talk();
  REQUIRE(client.stream != nullptr);
  client.own();
  client.below->room = false;
  client.stream->write(std::string(200 * size_t{1024}, 'v'));
  REQUIRE(client.below->unsent_bytes() > TlsStream::kControlBytesMax);
  client.engine.send(std::string(8000, 'x'));
  const std::string record = client.engine.take_output();
  // No whole record yet, and everything written before is encrypted and with the stream below.
  client.below->bring(std::string_view(record).substr(0, 1000));
  CHECK_FALSE(client.closed);
  client.below->bring(std::string_view(record).substr(1000));
  CHECK(client.received == std::string(8000, 'x'));
}

// A TlsEngine never does it, so it is OpenSSL's own client that asks for new keys all the time.
TEST_CASE("who makes TLS answer and does not read the answers is ended") {
  Fixture f;
  Client node(f);  // its stream and its owner
  SSL_CTX* context = ::SSL_CTX_new(::TLS_client_method());
  SSL* client = ::SSL_new(context);
  BIO* hears = ::BIO_new(::BIO_s_mem());
  BIO* says = ::BIO_new(::BIO_s_mem());
  ::SSL_set_bio(client, hears, says);
  ::SSL_set_connect_state(client);
  const auto speak = [&] {
    std::string bytes(::BIO_ctrl_pending(says), '\0');
    REQUIRE(::BIO_read(says, bytes.data(), static_cast<int>(bytes.size())) ==
            static_cast<int>(bytes.size()));
    node.below->bring(bytes);
    f.run();
  };
  CHECK(::SSL_do_handshake(client) != 1);
  speak();
  ::BIO_write(hears, node.below->wire.data(), static_cast<int>(node.below->wire.size()));
  REQUIRE(::SSL_do_handshake(client) == 1);
  speak();
  REQUIRE(node.stream != nullptr);
  node.own();
  node.below->room = false;
  for (int i = 0; i < 10'000 && !node.closed; ++i) {
    REQUIRE(::SSL_key_update(client, SSL_KEY_UPDATE_REQUESTED) == 1);
    REQUIRE(::SSL_do_handshake(client) == 1);
    speak();
  }
  CHECK(node.closed);
  CHECK(node.below->unsent_bytes() < TlsStream::kControlBytesMax + 1024);
  ::SSL_free(client);
  ::SSL_CTX_free(context);
}

TEST_CASE("a connection that ended by TLS and then altogether, before its owner starts it") {
  Fixture f;
  for (const bool damaged : {false, true}) {
    CAPTURE(damaged);
    Client client(f);
    client.below->bring(client.engine.take_output());
    client.hear();
    REQUIRE(client.engine.state() == TlsState::kOpen);
    client.engine.send("PING\r\n");
    if (!damaged) {
      client.engine.finish();
    }
    client.below->bring(client.engine.take_output() +
                        (damaged ? std::string(32, '\0') : std::string()));
    REQUIRE(client.stream != nullptr);
    client.below->end();
    client.own();
    CHECK(client.received == "PING\r\n");
    CHECK(client.closed);
  }
}

TEST_CASE("a connection that is lost before its owner starts it is told then") {
  Fixture f;
  Client client(f);
  client.talk();
  REQUIRE(client.stream != nullptr);
  client.below->end();
  CHECK_FALSE(client.closed);
  client.own();
  CHECK(client.closed);
}

TEST_CASE(
    "what was in force stays when files cannot be read, and connections stay when it changes") {
  Fixture f;
  Client before(f);
  before.talk();
  REQUIRE(before.stream != nullptr);
  before.own();
  config::Options wrong = f.options;
  wrong.tls_cert_file = "/nowhere/kiwi.crt";
  const Result<void> refused = f.port->load(wrong);
  REQUIRE_FALSE(refused);
  CHECK(has(refused.error().text, "/nowhere/kiwi.crt"));
  Client between(f);
  between.talk();
  CHECK(between.stream != nullptr);

  Authority next("the next one");
  const CertificateFiles files = next.sign();
  f.options.tls_cert_file = files.cert;
  f.options.tls_key_file = files.key;
  REQUIRE(f.port->load(f.options));
  Client behind(f, client_of(next.cert()));
  behind.talk();
  CHECK(behind.stream != nullptr);
  before.engine.send("PING\r\n");
  before.below->bring(before.engine.take_output());
  CHECK(before.received == "PING\r\n");
}

TEST_CASE("a closed port takes nobody") {
  Fixture f;
  Client during(f);
  f.port->close();
  CHECK(during.below->closed);
  CHECK(f.port->strangers() == 0);
  Client behind(f);
  CHECK(behind.below->closed);
}

}  // namespace kiwi::actors
