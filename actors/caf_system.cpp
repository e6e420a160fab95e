#include "actors/caf_system.hpp"

#include <algorithm>
#include <chrono>
#include <sys/random.h>

#include <caf/io/all.hpp>

#include "actors/messages.hpp"
#include "config/base/check.hpp"

namespace kiwi::actors {

namespace {

// CAF 0.17.6 derives its node id from network cards, root file system and process id: two
// containers of one host get the same and take each other for themselves. This module puts 160
// random bits in its place, after the middleman's module was set up and before any connection.
template <class Tag, typename Tag::type Member>
struct PrivateMember {
  friend typename Tag::type get(Tag) { return Member; }
};
struct NodeTag {
  using type = caf::node_id caf::actor_system::*;
  friend type get(NodeTag);
};
template struct PrivateMember<NodeTag, &caf::actor_system::node_>;

class RandomNodeId final : public caf::actor_system::module {
 public:
  explicit RandomNodeId(caf::actor_system& system) : system_(system) {}
  static caf::actor_system::module* make(caf::actor_system& system, caf::detail::type_list<>) {
    return new RandomNodeId(system);
  }

  void start() override {}
  void stop() override {}
  void init(caf::actor_system_config&) override {
    caf::node_id::default_data::host_id_type host;
    uint32_t process = 0;
    CHECK_INVARIANT(::getrandom(host.data(), host.size(), 0) == static_cast<ssize_t>(host.size()));
    CHECK_INVARIANT(::getrandom(&process, sizeof(process), 0) == sizeof(process));
    system_.*get(NodeTag{}) = caf::make_node_id(process | 1u, host);
  }
  id_t id() const override { return network_manager; }  // a slot that CAF 0.17.6 leaves unused
  void* subtype_ptr() override { return this; }

 private:
  caf::actor_system& system_;
};

class SystemConfig final : public caf::actor_system_config {
 public:
  explicit SystemConfig(std::chrono::milliseconds connection_timeout) {
    add_message_types<caf::id_block::kiwi>();
    load<caf::io::middleman>();
    load<RandomNodeId>();
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", size_t{1});
    set("middleman.workers", size_t{0});
    // Longer than an election timeout: Raft decides first who is alive, this only clears away.
    set("middleman.heartbeat-interval", caf::timespan(connection_timeout / 4));
    set("middleman.connection-timeout", caf::timespan(connection_timeout));
    set("logger.console", caf::atom("none"));
  }
};

}  // namespace

std::unique_ptr<caf::actor_system_config> make_system_config(int64_t connection_timeout_ms) {
  return std::make_unique<SystemConfig>(std::chrono::milliseconds(connection_timeout_ms));
}

}  // namespace kiwi::actors
