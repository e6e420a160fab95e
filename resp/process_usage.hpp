// What the operating system says of this process, for INFO. Any thread.
#pragma once

#include <cstdint>
#include <string>

namespace kiwi::resp {

struct ProcessUsage {
  uint64_t resident_bytes = 0;
  uint64_t peak_resident_bytes = 0;
  uint64_t heap_bytes = 0;    // handed out by the allocator
  std::string allocator;      // whose: jemalloc-5.3.0, libc
  uint64_t system_bytes = 0;  // memory of the machine
  int64_t user_us = 0;        // CPU time, all threads
  int64_t system_us = 0;
  int64_t thread_user_us = 0;  // of the calling thread
  int64_t thread_system_us = 0;
};

ProcessUsage read_process_usage();

// What this process may use: the machine's memory, or less if its cgroup has a limit.
uint64_t machine_memory_bytes();

}  // namespace kiwi::resp
