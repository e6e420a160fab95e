// What the operating system and the allocator say of this process, for INFO and MEMORY. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace kiwi::resp {

struct ProcessUsage {
  uint64_t resident_bytes = 0;
  uint64_t peak_resident_bytes = 0;
  uint64_t heap_bytes = 0;           // handed out by the allocator
  std::string allocator;             // whose: jemalloc-5.3.0, libc
  uint64_t heap_active_bytes = 0;    // pages that hold any of it; 0: the allocator does not say
  uint64_t heap_resident_bytes = 0;  // that the allocator holds in memory; 0: the same
  uint64_t system_bytes = 0;         // memory of the machine
  int64_t user_us = 0;               // CPU time, all threads
  int64_t system_us = 0;
  int64_t thread_user_us = 0;  // of the calling thread
  int64_t thread_system_us = 0;
};

ProcessUsage read_process_usage();
uint64_t read_heap_bytes();  // ProcessUsage::heap_bytes alone

// Gives free pages of the heap back to the machine.
void purge_heap();
// The allocator's own report; nullopt: it has none.
std::optional<std::string> heap_report();

// What this process may use: the machine's memory, or less if its cgroup has a limit.
uint64_t machine_memory_bytes();

}  // namespace kiwi::resp
