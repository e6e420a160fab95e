// Decides when this node may answer at all (F22, F25, F39). Plain class inside the CommandRouter
// shell; client loop.
//
// After a start the node answers LOADING until it has applied the last commit it knew of on disk
// and, once it hears of a leader, that leader's commit. Without any leader for `patience_ms` it
// opens when the first of the two is met: then the router's own CLUSTERDOWN is the truer answer.
#pragma once

#include <cstdint>
#include <optional>

#include "config/base/ids.hpp"
#include "resp/router_status.hpp"

namespace kiwi::actors {

class ServiceGate {
 public:
  ServiceGate(int64_t patience_ms, int64_t lag_ms) : patience_ms_(patience_ms), lag_ms_(lag_ms) {}

  void waiting_for_cluster(bool known_to_have_one);  // wiped: LOADING instead of NOCLUSTER (F1)
  void started(LogIndex commit_hint, int64_t now_ms);
  void applied(LogIndex index) { applied_ = index; }
  void committed(LogIndex index, int64_t now_ms);  // as this node knows it
  // A ready leader is known, and the commit index that goes with it.
  void leader_ready(LogIndex commit);
  void set_removed(bool removed) { removed_ = removed; }
  // F54: this node founded a second cluster. For as long as it runs.
  void set_second_cluster() { second_cluster_ = true; }
  bool is_second_cluster() const { return second_cluster_; }
  // F22: a snapshot is received because the log does not reach down here, or is installed.
  void set_receiving(bool receiving) { receiving_ = receiving; }
  void set_installing(bool installing) { installing_ = installing; }

  resp::Service service(int64_t now_ms);

 private:
  int64_t patience_ms_;
  int64_t lag_ms_;
  bool wiped_ = false;
  bool removed_ = false;
  bool second_cluster_ = false;
  bool receiving_ = false;
  bool installing_ = false;
  bool open_ = false;
  bool caught_up_ = false;  // with a leader, once since start
  std::optional<LogIndex> hint_;
  int64_t started_ms_ = 0;
  std::optional<LogIndex> leader_commit_;
  LogIndex applied_;
  LogIndex commit_;
  // A commit that is not applied yet, and when it was heard of.
  std::optional<LogIndex> awaited_;
  int64_t awaited_since_ms_ = 0;
};

}  // namespace kiwi::actors
