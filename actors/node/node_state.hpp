// What a node is made of. Included by node.cpp, which puts it together, and node_facts.cpp, which
// hears what becomes of it.
#pragma once

#include <cstdint>

#include "actors/node/departure_shell.hpp"
#include "actors/node/faces_shell.hpp"
#include "actors/node/fanout_shell.hpp"
#include "actors/node/founding_shell.hpp"
#include "actors/node/http_shell.hpp"
#include "actors/node/joining_shell.hpp"
#include "actors/node/latency_watch.hpp"
#include "actors/node/load_shell.hpp"
#include "actors/node/node.hpp"
#include "actors/node/node_parts.hpp"
#include "actors/node/notify_socket.hpp"
#include "actors/node/orders_shell.hpp"
#include "actors/node/peers_shell.hpp"
#include "actors/node/snapshots_shell.hpp"
#include "actors/node/supervision.hpp"
#include "actors/node/users_shell.hpp"
#include "actors/node/versions_shell.hpp"
#include "resp/admin.hpp"

namespace kiwi::actors {

inline constexpr int64_t kTimerMs = 100;

// Each knows those above it.
struct Node::State {
  explicit State(const config::Options& options) : parts(options) {}
  FanoutShellOptions fanout_options();

  Result<void> open();
  void open_loops();
  void spawn_state_machine_and_router();
  void spawn_log();
  void fill_context();
  void timer();
  void rewrite_config(resp::AdminDone done);
  void reread_files();
  void look_after_caches();
  void look_at_latency();
  void refresh_status();
  void tell_manager();
  void observe(const RaftReport& report);
  void observe(const raft::Event& event);
  void take(const PeerNote& from);

  const NotifySocket manager{NotifySocket::of_environment()};  // first: no other thread yet
  Supervision supervision{manager.watchdog_us()};
  NodeParts parts;
  OrdersShell orders{parts};
  JoiningShell joining{parts, orders};
  SnapshotsShell snapshots{parts};
  FoundingShell founding{parts, joining, snapshots};
  PeersShell peers{parts, founding, joining, orders};
  VersionsShell versions{parts, peers};
  UsersShell users{parts};
  LoadShell load{parts, snapshots};
  DepartureShell departure{parts, peers};
  HttpShell http{parts, departure};
  FacesShell faces{parts};
  FanoutShell fanout{fanout_options()};
  LatencyWatch latency{parts.context.measures.latency(), kTimerMs};
};

}  // namespace kiwi::actors
