// What a node cannot take any more: room on the disk (DiskWatch) and the pace of writes
// (Backpressure). Thin; on the client loop.
#pragma once

#include <cstdint>

#include "actors/node/backpressure.hpp"
#include "actors/node/disk_watch.hpp"
#include "actors/node/node_parts.hpp"
#include "actors/node/snapshots_shell.hpp"

namespace kiwi::actors {

class LoadShell {
 public:
  LoadShell(NodeParts& node, SnapshotsShell& snapshots)
      : node_(node), snapshots_(snapshots), disk_(node.facts), pressure_(node.facts) {}

  void timer();
  void take(NodeId from, const DiskNote& note);
  void take(NodeId from, const PressureNote& note);

 private:
  void look_at_disk();
  void look_at_pressure();
  uint64_t owed_bytes() const;
  void say_disk_turned(uint64_t free, uint64_t owed) const;

  NodeParts& node_;
  SnapshotsShell& snapshots_;
  DiskWatch disk_;
  Backpressure pressure_;
  uint32_t keyspace_pressure_ = 0;
};

}  // namespace kiwi::actors
