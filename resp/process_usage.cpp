#include "resp/process_usage.hpp"

#include <algorithm>
#include <cstdio>
#include <malloc.h>
#include <string_view>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

// The server is linked with jemalloc, tests and sanitizer builds are not.
extern "C" __attribute__((weak)) int mallctl(const char*, void*, size_t*, void*, size_t);
extern "C" __attribute__((weak)) void malloc_stats_print(void (*)(void*, const char*),
                                                         void*,
                                                         const char*);

namespace kiwi::resp {

namespace {

struct Heap {
  uint64_t bytes = 0;
  std::string allocator;
  uint64_t active = 0;
  uint64_t resident = 0;
};

uint64_t allocator_number(const char* name) {
  size_t value = 0;
  size_t size = sizeof(value);
  return mallctl(name, &value, &size, nullptr, 0) == 0 ? value : 0;
}

// jemalloc's numbers are as old as the last call of this.
void refresh_allocator() {
  uint64_t epoch = 1;
  size_t size = sizeof(epoch);
  mallctl("epoch", &epoch, &size, &epoch, size);
}

uint64_t libc_bytes() {
  const struct mallinfo2 heap = ::mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

Heap read_heap() {
  if (mallctl != nullptr) {
    refresh_allocator();
    const char* version = "";
    size_t pointer = sizeof(version);
    const uint64_t allocated = allocator_number("stats.allocated");
    if (allocated != 0 && mallctl("version", &version, &pointer, nullptr, 0) == 0) {
      const std::string_view whole(version);
      return {allocated, "jemalloc-" + std::string(whole.substr(0, whole.find('-'))),
              allocator_number("stats.active"), allocator_number("stats.resident")};
    }
  }
  return {libc_bytes(), "libc", 0, 0};
}

// A file that holds one number; UINT64_MAX: there is none ("max").
uint64_t number_in(const char* path) {
  std::FILE* file = std::fopen(path, "r");
  if (file == nullptr) {
    return UINT64_MAX;
  }
  unsigned long long value = 0;
  const int fields = std::fscanf(file, "%llu", &value);
  std::fclose(file);
  return fields == 1 ? value : UINT64_MAX;
}

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

uint64_t read_heap_bytes() {
  if (mallctl != nullptr) {
    refresh_allocator();
    if (const uint64_t allocated = allocator_number("stats.allocated")) {
      return allocated;
    }
  }
  return libc_bytes();
}

ProcessUsage read_process_usage() {
  ProcessUsage usage;
  auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  usage.resident_bytes = resident_pages() * page;
  usage.system_bytes = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * page;
  Heap heap = read_heap();
  usage.heap_bytes = heap.bytes;
  usage.allocator = std::move(heap.allocator);
  usage.heap_active_bytes = heap.active;
  usage.heap_resident_bytes = heap.resident;
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

void purge_heap() {
  if (mallctl != nullptr) {
    mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);  // 4096: all arenas
  } else {
    ::malloc_trim(0);
  }
}

std::optional<std::string> heap_report() {
  if (malloc_stats_print == nullptr) {
    return std::nullopt;
  }
  std::string report;
  malloc_stats_print(
      [](void* out, const char* text) { static_cast<std::string*>(out)->append(text); }, &report,
      nullptr);
  return report;
}

uint64_t machine_memory_bytes() {
  const uint64_t machine = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                           static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return std::min({machine, number_in("/sys/fs/cgroup/memory.max"),
                   number_in("/sys/fs/cgroup/memory/memory.limit_in_bytes")});
}

}  // namespace kiwi::resp
