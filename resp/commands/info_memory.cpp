// INFO memory: the names of Redis, and Kiwi's own parts behind them.
#include "resp/commands/info_text.hpp"
#include "resp/memory_report.hpp"
#include "resp/session_state.hpp"

namespace kiwi::resp {

namespace {

void with_human(InfoText& out, const std::string& name, uint64_t bytes) {
  out.line(name, bytes);
  out.line(name + "_human", human_bytes(bytes));
}

void ratio_lines(InfoText& out, const std::string& name, uint64_t part, uint64_t whole) {
  out.line(name + "_ratio", two_places(ratio(part, whole)));
  out.line(name + "_bytes", static_cast<int64_t>(part) - static_cast<int64_t>(whole));
}

// Texts are records of the state, not memory of their own; all scripts and functions share one VM.
void scripts(const ScriptStatus& scripts, uint64_t vm_bytes, InfoText& out) {
  out.line("used_memory_lua", vm_bytes);
  out.line("used_memory_vm_eval", vm_bytes);
  out.line("used_memory_lua_human", human_bytes(vm_bytes));
  out.line("used_memory_scripts_eval", scripts.script_bytes);
  out.line("number_of_cached_scripts", scripts.scripts);
  out.line("number_of_functions", scripts.functions);
  out.line("number_of_libraries", scripts.libraries);
  with_human(out, "used_memory_vm_total", vm_bytes);
  out.line("used_memory_functions", scripts.library_bytes);
  with_human(out, "used_memory_scripts", scripts.script_bytes + scripts.library_bytes);
}

void fragmentation(const MemoryReport& memory, InfoText& out) {
  const ProcessUsage& process = memory.process;
  ratio_lines(out, "allocator_frag", process.heap_active_bytes, process.heap_bytes);
  ratio_lines(out, "allocator_rss", process.heap_resident_bytes, process.heap_active_bytes);
  ratio_lines(out, "rss_overhead", process.resident_bytes, process.heap_resident_bytes);
  out.line("mem_fragmentation_ratio", two_places(ratio(process.resident_bytes, memory.used)));
  out.line("mem_fragmentation_bytes",
           static_cast<int64_t>(process.resident_bytes) - static_cast<int64_t>(memory.used));
}

void own_parts(const MemoryReport& memory, InfoText& out) {
  out.line("mem_table", memory.table);
  out.line("mem_block_cache", memory.block_cache);
  out.line("mem_memtables", memory.memtables);
  out.line("mem_log_store", memory.log_store);
  out.line("mem_pending_writes", memory.writes);
  out.line("mem_tracking_table", memory.tracking);
  out.line("mem_mapped", memory.mapped);
}

}  // namespace

void write_memory(NodeContext& node, InfoText& out) {
  const MemoryReport memory = read_memory(node);
  with_human(out, "used_memory", memory.used);
  with_human(out, "used_memory_rss", memory.process.resident_bytes);
  with_human(out, "used_memory_peak", memory.peak);
  out.line("used_memory_peak_perc", two_places(memory.peak_percent()) + "%");
  out.line("used_memory_overhead", memory.overhead);
  out.line("used_memory_startup", memory.startup);
  out.line("used_memory_dataset", memory.dataset);
  out.line("used_memory_dataset_perc", two_places(memory.dataset_percent()) + "%");
  out.line("allocator_allocated", memory.process.heap_bytes);
  out.line("allocator_active", memory.process.heap_active_bytes);
  out.line("allocator_resident", memory.process.heap_resident_bytes);
  with_human(out, "total_system_memory", memory.process.system_bytes);
  scripts(node.status.scripts, memory.scripts, out);
  // It bounds no data: that lies on the disk.
  out.line("maxmemory", 0);
  out.line("maxmemory_human", "0B");
  out.line("maxmemory_policy", "noeviction");
  fragmentation(memory, out);
  out.line("mem_not_counted_for_evict", 0);
  out.line("mem_replication_backlog", memory.window);
  out.line("mem_total_replication_buffers", memory.window + memory.links);
  out.line("mem_clients_slaves", 0);  // followers are no clients: mem_cluster_links
  out.line("mem_clients_normal", memory.clients);
  const uint64_t clients_max = ClientMemory::limit(node);
  out.line("maxmemory_clients", clients_max == UINT64_MAX ? 0 : clients_max);
  out.metrics("Memory", node);
  out.line("mem_allocator", memory.process.allocator);
  out.line("active_defrag_running", 0);
  own_parts(memory, out);
}

}  // namespace kiwi::resp
