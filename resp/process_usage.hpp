// What the operating system says of this process, for INFO. Any thread.
#pragma once

#include <cstdint>

namespace kiwi::resp {

struct ProcessUsage {
  uint64_t resident_bytes = 0;
  uint64_t peak_resident_bytes = 0;
  uint64_t heap_bytes = 0;    // handed out by the allocator
  uint64_t system_bytes = 0;  // memory of the machine
  int64_t user_us = 0;        // CPU time, all threads
  int64_t system_us = 0;
  int64_t thread_user_us = 0;  // of the calling thread
  int64_t thread_system_us = 0;
};

ProcessUsage read_process_usage();

}  // namespace kiwi::resp
