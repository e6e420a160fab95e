// MEMORY: what this node does.
#include <optional>
#include <span>
#include <string>

#include "resp/memory_report.hpp"
#include "resp/session_state.hpp"

namespace kiwi::resp::commands {

namespace {

struct Figure {
  std::string_view name;
  uint64_t bytes;
};

void reply_figures(std::span<const Figure> figures, ReplyWriter& reply) {
  for (const Figure& figure : figures) {
    reply.bulk(figure.name);
    reply.integer(static_cast<int64_t>(figure.bytes));
  }
}

void reply_percent(std::string_view name, double value, ReplyWriter& reply) {
  reply.bulk(name);
  reply.number(value);
}

// How much larger one thing is than another.
struct Excess {
  std::string_view ratio;
  std::string_view bytes;
  uint64_t part;
  uint64_t whole;
};

void reply_excesses(std::span<const Excess> excesses, ReplyWriter& reply) {
  for (const Excess& excess : excesses) {
    reply.bulk(excess.ratio);
    reply.number(ratio(excess.part, excess.whole));
    reply.bulk(excess.bytes);
    reply.integer(static_cast<int64_t>(excess.part) - static_cast<int64_t>(excess.whole));
  }
}

MemoryReport memory_now(Session& session) {
  NodeContext& node = session.state().node;
  node.refresh_status();
  return read_memory(node);
}

}  // namespace

// In the order of Redis 7.0. What it has and Kiwi has not (an AOF buffer, hash tables) is left out;
// what only Kiwi has comes last.
void memory_stats(Session& session, Args, ReplyWriter& reply) {
  const MemoryReport memory = memory_now(session);
  const ProcessUsage& process = memory.process;
  const Figure whole[] = {
      {"peak.allocated", memory.peak},
      {"total.allocated", memory.used},
      {"startup.allocated", memory.startup},
      {"replication.backlog", memory.window},
      {"clients.slaves", 0},  // followers are no clients: cluster.links
      {"clients.normal", memory.clients},
      {"cluster.links", memory.links},
      {"lua.caches", memory.scripts},
      {"overhead.total", memory.overhead},
      {"keys.count", memory.keys},
      {"keys.bytes-per-key", memory.bytes_per_key()},
      {"dataset.bytes", memory.dataset},
  };
  const Figure allocator[] = {
      {"allocator.allocated", process.heap_bytes},
      {"allocator.active", process.heap_active_bytes},
      {"allocator.resident", process.heap_resident_bytes},
  };
  const Excess excesses[] = {
      {"allocator-fragmentation.ratio", "allocator-fragmentation.bytes", process.heap_active_bytes,
       process.heap_bytes},
      {"allocator-rss.ratio", "allocator-rss.bytes", process.heap_resident_bytes,
       process.heap_active_bytes},
      {"rss-overhead.ratio", "rss-overhead.bytes", process.resident_bytes,
       process.heap_resident_bytes},
      {"fragmentation", "fragmentation.bytes", process.resident_bytes, memory.used},
  };
  const Figure own[] = {
      {"state.table", memory.table},
      {"state.block-cache", memory.block_cache},
      {"state.memtables", memory.memtables},
      {"log.store", memory.log_store},
      {"writes.pending", memory.writes},
      {"tracking.table", memory.tracking},
      {"mapped", memory.mapped},
  };
  constexpr size_t kPercents = 2;
  reply.map(std::size(whole) + kPercents + std::size(allocator) + 2 * std::size(excesses) +
            std::size(own));
  reply_figures(whole, reply);
  reply_percent("dataset.percentage", memory.dataset_percent(), reply);
  reply_percent("peak.percentage", memory.peak_percent(), reply);
  reply_figures(allocator, reply);
  reply_excesses(excesses, reply);
  reply_figures(own, reply);
}

void memory_doctor(Session& session, Args, ReplyWriter& reply) {
  constexpr uint64_t kSmall = 64 << 20;  // resident, below which ratios say nothing
  constexpr double kMuch = 1.4;
  const MemoryReport memory = memory_now(session);
  std::string found;
  if (memory.process.resident_bytes >= kSmall) {
    if (ratio(memory.process.resident_bytes, memory.used) > kMuch) {
      found +=
          "The process holds over 1.4 times the memory that it uses. MEMORY PURGE gives free pages "
          "back.\n";
    }
    if (ratio(memory.peak, memory.used) > kMuch) {
      found += "There were times with over 1.4 times the memory of now.\n";
    }
    if (ratio(memory.clients, memory.used) > 0.5) {
      found += "Clients' buffers are over half of the memory in use: see CLIENT LIST.\n";
    }
  }
  reply.verbatim(found.empty() ? "No memory problem was found.\n" : found);
}

void memory_purge(Session&, Args, ReplyWriter& reply) {
  purge_heap();
  reply.ok();
}

void memory_malloc_stats(Session&, Args, ReplyWriter& reply) {
  const std::optional<std::string> report = heap_report();
  if (report) {
    reply.verbatim(*report);
  } else {
    reply.bulk("Stats not supported for the current allocator");
  }
}

void memory_help(Session&, Args, ReplyWriter& reply) {
  constexpr std::string_view kLines[] = {
      "DOCTOR",
      "    Return memory problems reports.",
      "MALLOC-STATS",
      "    Return internal statistics report from the memory allocator.",
      "PURGE",
      "    Attempt to purge dirty pages for reclamation by the allocator.",
      "STATS",
      "    Return information about the memory usage of the server.",
      "USAGE <key> [SAMPLES <count>]",
      "    Return memory in bytes used by <key> and its value. Nested values are",
      "    sampled up to <count> times (default: 5, 0 means sample all).",
  };
  reply_help(reply, "MEMORY", kLines);
}

}  // namespace kiwi::resp::commands
