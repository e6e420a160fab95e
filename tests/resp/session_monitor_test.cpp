// MONITOR between clients of a node. The lines are what redis-server 7.0.15 wrote of the same
// commands, but for the time and the address; one's own commands: transcripts/monitor.txt.
#include <doctest/doctest.h>

#include "config/options_table.hpp"
#include "resp/monitors.hpp"
#include "resp/session_state.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {
namespace {

// A line of the client with id 4.
std::string line(uint32_t database, const std::string& words) {
  return "+1700000000.123456 [" + std::to_string(database) + " 127.0.0.1:50004] " + words + "\r\n";
}

struct Watched {
  TestNode node;
  std::vector<ConnectionId> told;
  TestClient monitor{node, 3};
  TestClient client{node, 4};

  Watched() {
    node.context.deliver = [this](ReplyBatch batch) {
      CHECK(batch.parts.empty());
      told.push_back(batch.connection);
    };
    CHECK(monitor.send("MONITOR\r\n") == "+OK\r\n");
  }
  std::string shown() { return monitor.session.take_output(); }
  std::string shown_of(std::string_view bytes) {
    client.send(bytes);
    return shown();
  }
};

}  // namespace

TEST_SUITE("resp") {
  TEST_CASE("a monitor sees what other clients ask, data or not") {
    Watched world;
    CHECK(world.shown_of("PING\r\n") == line(0, "\"PING\""));
    CHECK(world.told == std::vector<ConnectionId>{3});
    CHECK(world.shown_of("set a \"x\\r\\n\\x01\\\\ \\\"'\\x7f\\xff\\a\\b\\t\"\r\n") ==
          line(0, "\"set\" \"a\" \"x\\r\\n\\x01\\\\ \\\"'\\x7f\\xff\\a\\b\\t\""));
    CHECK(world.client.forwarded().size() == 1);
    world.client.send("SELECT 2\r\n");
    world.shown();
    CHECK(world.shown_of("*2\r\n$3\r\nGET\r\n$0\r\n\r\n") == line(2, "\"GET\" \"\""));
    CHECK(world.shown_of("EVAL \"return 1\" 0\r\n") == line(2, "\"EVAL\" \"return 1\" \"0\""));
    CHECK(world.shown_of("publish c m\r\n") == line(2, "\"publish\" \"c\" \"m\""));
    CHECK(world.shown_of("BLPOP nokey 0.1\r\n") == line(2, "\"BLPOP\" \"nokey\" \"0.1\""));
  }

  TEST_CASE("a monitor does not see refused commands, nor those of administrators") {
    Watched world;
    CHECK(world.shown_of("foo\r\nget\r\nCONFIG GET port\r\nCLIENT LIST\r\nCLIENT PAUSE 0\r\n"
                         "DEBUG SLEEP 0\r\nclient foo\r\nMONITOR x\r\nINFO RAFT x\r\n") ==
          line(0, "\"INFO\" \"RAFT\" \"x\""));
    CHECK(world.shown_of("QUIT\r\n") == line(0, "\"QUIT\""));
  }

  TEST_CASE("a monitor sees no password") {
    Watched world;
    CHECK(world.shown_of("AUTH foo\r\n") == line(0, "\"AUTH\" \"(redacted)\""));
    CHECK(world.shown_of("auth u p\r\n") == line(0, "\"auth\" \"(redacted)\" \"(redacted)\""));
    CHECK(world.shown_of("HELLO 3 AUTH default foo SETNAME x\r\n") ==
          line(0, "\"HELLO\" \"3\" \"AUTH\" \"(redacted)\" \"(redacted)\" \"SETNAME\" \"x\""));
    CHECK(world.shown_of("HELLO 3 SETNAME auth AUTH default foo\r\n") ==
          line(0, "\"HELLO\" \"3\" \"SETNAME\" \"auth\" \"AUTH\" \"(redacted)\" \"(redacted)\""));
    // Redis shows these two: it has not looked at the words when it refuses the command.
    CHECK(world.shown_of("AUTH u p x\r\n").find("\"p\"") == std::string::npos);
    CHECK(world.shown_of("HELLO 9 AUTH u p\r\n").find("\"p\"") == std::string::npos);
    CHECK(world.shown_of("HELLO 3 SETNAME \"\" AUTH u p\r\n").find("\"p\"") == std::string::npos);
    const CommandSpec* migrate = find_command("migrate");
    REQUIRE(migrate != nullptr);
    const std::vector<std::string_view> args{"migrate", "h",    "1", "",     "0",    "9",
                                             "auth2",   "user", "p", "keys", "auth", "k"};
    const auto words = words_to_show(*migrate, args);
    CHECK(words[7] == "(redacted)");
    CHECK(words[8] == "(redacted)");
    CHECK(words[11] == "k");
    const CommandSpec* config_row = find_command("config");
    REQUIRE(config_row != nullptr);
    const CommandSpec* set = find_subcommand(*config_row, "set");
    REQUIRE(set != nullptr);
    for (const config::OptionRow& option : config::option_rows()) {
      CAPTURE(option.name);
      const std::vector<std::string_view> said{"config", "set", option.name, "hunter2"};
      const bool is_secret = (option.flags & config::kSecret) != 0;
      CHECK((words_to_show(*set, said)[3] == "(redacted)") == is_secret);
    }
  }

  TEST_CASE("a block is shown when it is executed, in its databases") {
    Watched world;
    CHECK(world.shown_of("multi\r\n") == line(0, "\"multi\""));
    CHECK(world.shown_of("set k v\r\nget k\r\nselect 3\r\nset k2 v\r\n").empty());
    CHECK(world.shown_of("exec\r\n") == line(0, "\"set\" \"k\" \"v\"") + line(0, "\"get\" \"k\"") +
                                            line(3, "\"select\" \"3\"") +
                                            line(3, "\"set\" \"k2\" \"v\"") + line(3, "\"exec\""));
    // Of a block that is not executed only the frame is.
    TestClient other(world.node, 5);
    other.send("MULTI\r\nSET k v\r\nDISCARD\r\nMULTI\r\nGET\r\nSET k v\r\nEXEC\r\n");
    const std::string shown = world.shown();
    CHECK(shown.find("SET") == std::string::npos);
    CHECK(shown.find("\"DISCARD\"") != std::string::npos);
    CHECK(shown.find("\"EXEC\"") != std::string::npos);
  }

  TEST_CASE("what a script calls is shown with its database and no address") {
    Watched world;
    OutwardEvent event;
    event.kind = OutwardEvent::Kind::kScriptCall;
    event.database = 2;
    const std::string_view call[] = {"get", "x y"};
    pack_command(event.message, 2, call);
    std::vector<ReplyBatch> replies;
    world.node.context.publish_outward({event}, replies);
    CHECK(replies.empty());
    CHECK(world.shown() == "+1700000000.123456 [2 lua] \"get\" \"x y\"\r\n");
  }

  TEST_CASE("a line waits behind replies that are not sent yet, and never stands inside one") {
    Watched world;
    TestClient& monitor = world.monitor;
    monitor.send("RESET\r\nGET a\r\nMONITOR\r\nPING\r\n");
    const auto requests = monitor.forwarded();
    REQUIRE(requests.size() == 1);
    CHECK(world.shown_of("PING\r\n").empty());  // MONITOR itself waits for what stands before it
    CHECK(monitor.answer(requests[0].slot, "$1\r\nv\r\n") ==
          "$1\r\nv\r\n+OK\r\n+PONG\r\n+1700000000.123456 [0 127.0.0.1:50003] \"PING\"\r\n");
    CHECK(world.shown_of("PING\r\n") == line(0, "\"PING\""));
  }

  TEST_CASE("MONITOR ends with RESET and with its connection; nobody is told any more") {
    Watched world;
    CHECK(world.node.context.monitors.any());
    world.monitor.send("RESET\r\n");
    CHECK_FALSE(world.node.context.monitors.any());
    {
      TestClient second(world.node, 9);
      second.send("MONITOR\r\n");
      CHECK(world.node.context.monitors.any());
    }
    CHECK_FALSE(world.node.context.monitors.any());
    world.told.clear();
    CHECK(world.shown_of("PING\r\n").empty());
    CHECK(world.told.empty());
  }

  TEST_CASE("a monitor that does not read is closed at the limit of normal clients [F28]") {
    Watched world;
    world.node.options.client_output_buffer_limit.normal = {2000, 0, 0};
    const std::string big(700, 'x');
    world.client.send("PING " + big + "\r\n");
    CHECK_FALSE(world.monitor.session.killed());
    world.client.send("PING " + big + "\r\n");
    world.client.send("PING " + big + "\r\n");
    CHECK(world.monitor.session.killed());
    CHECK(world.node.closed == std::vector<ConnectionId>{3});
    CHECK(world.client.send("PING\r\n") == "+PONG\r\n");
  }

  TEST_CASE("a monitor is told once until its output was looked at") {
    Watched world;
    world.client.send("PING\r\nPING\r\nPING\r\n");
    CHECK(world.told == std::vector<ConnectionId>{3});
    ReplyBatch nothing;
    nothing.connection = 3;
    world.monitor.session.reply(nothing, 1000);
    world.client.send("PING\r\n");
    CHECK(world.told == std::vector<ConnectionId>{3, 3});
  }

  TEST_CASE("a word that makes a line too long is counted instead of shown") {
    const std::string huge(kMonitorLineBytes, 'x');
    const std::string binary(kMonitorLineBytes / 3, '\x01');
    const std::string_view words[] = {"SET", huge, "b", binary};
    CHECK(monitor_line(5, 0, "lua", words) ==
          "0.000005 [0 lua] \"SET\" \"... (16777216 more bytes)\" \"b\" \"... (5592405 more "
          "bytes)\"\r\n");
  }

  TEST_CASE("CLIENT LIST calls a monitor O, and `timeout` does not close it") {
    Watched world;
    CHECK(world.client.send("CLIENT LIST ID 3\r\n").find(" flags=O ") != std::string::npos);
    world.node.options.timeout = 1;
    world.monitor.session.tick(100'000);
    CHECK_FALSE(world.monitor.session.killed());
  }
}

}  // namespace kiwi::resp
