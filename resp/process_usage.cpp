#include "resp/process_usage.hpp"

#include <cstdio>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

namespace kiwi::resp {

namespace {

int64_t microseconds(const timeval& time) { return time.tv_sec * 1'000'000 + time.tv_usec; }

// The second number of /proc/self/statm: resident pages.
uint64_t resident_pages() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) {
    return 0;
  }
  unsigned long total = 0;
  unsigned long resident = 0;
  int fields = std::fscanf(file, "%lu %lu", &total, &resident);
  std::fclose(file);
  return fields == 2 ? resident : 0;
}

}  // namespace

ProcessUsage read_process_usage() {
  ProcessUsage usage;
  auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  usage.resident_bytes = resident_pages() * page;
  usage.system_bytes = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * page;
  struct mallinfo2 heap = ::mallinfo2();
  usage.heap_bytes = heap.uordblks + heap.hblkhd;
  rusage process{};
  if (::getrusage(RUSAGE_SELF, &process) == 0) {
    usage.peak_resident_bytes = static_cast<uint64_t>(process.ru_maxrss) * 1024;
    usage.user_us = microseconds(process.ru_utime);
    usage.system_us = microseconds(process.ru_stime);
  }
  rusage thread{};
  if (::getrusage(RUSAGE_THREAD, &thread) == 0) {
    usage.thread_user_us = microseconds(thread.ru_utime);
    usage.thread_system_us = microseconds(thread.ru_stime);
  }
  return usage;
}

}  // namespace kiwi::resp
