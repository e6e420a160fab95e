// A node without a network: what sessions need of it, and clients that are plain Session objects.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "resp/node_context.hpp"
#include "resp/session.hpp"

namespace kiwi::resp {

struct TestNode {
  config::Options options;
  config::ClientMetrics metrics;
  config::RaftMetrics raft_metrics;
  NodeContext context{options, metrics, raft_metrics};
  std::vector<ConnectionId> closed;  // by CLIENT KILL and limits

  TestNode() {
    context.status.service = Service::kUp;
    context.close_connection = [this](ConnectionId id) { closed.push_back(id); };
    context.wall_microseconds = [] { return int64_t{1'700'000'000'123'456}; };
  }
};

class TestClient {
 public:
  explicit TestClient(TestNode& node, ConnectionId id = 7, Face face = Face::kStandalone)
      : session(
            node.context,
            SessionInfo{id, "127.0.0.1:" + std::to_string(50'000 + id), "127.0.0.1:6379", 9, face},
            1000) {}

  // Sends and returns what is answered at once.
  std::string send(std::string_view bytes) {
    session.receive(bytes, now_ms);
    collect();
    return session.take_output();
  }

  // The packed commands that were handed to the router since the last call.
  std::vector<Request> forwarded() { return std::exchange(requests_, {}); }
  PackedCommand unpacked(const Request& request) {
    PackedCommand command;
    REQUIRE(unpack_command(bytes_of(request), command));
    return command;
  }
  std::string_view bytes_of(const Request& request) const {
    for (const RequestBatch& batch : batches_) {
      for (const Request& one : batch.requests) {
        if (one.slot == request.slot) {
          return batch.packed(one);
        }
      }
    }
    return {};
  }

  // The router or the executor answers.
  std::string answer(uint64_t slot, std::string_view bytes, std::vector<WatchToken> tokens = {}) {
    ReplyBatch batch;
    batch.connection = session.id();
    batch.bytes = bytes;
    batch.parts = {{slot, 0, static_cast<uint32_t>(bytes.size())}};
    batch.tokens = std::move(tokens);
    session.reply(batch, now_ms);
    collect();
    return session.take_output();
  }

  int64_t now_ms = 1000;
  Session session;

 private:
  void collect() {
    if (session.has_requests()) {
      batches_.push_back(session.take_requests());
      const std::vector<Request>& fresh = batches_.back().requests;
      requests_.insert(requests_.end(), fresh.begin(), fresh.end());
    }
  }

  std::vector<RequestBatch> batches_;
  std::vector<Request> requests_;
};

}  // namespace kiwi::resp
