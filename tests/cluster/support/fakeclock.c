// A wall clock that is wrong: loaded by LD_PRELOAD into one kiwi-server. FAKE_CLOCK names a file with
// an offset in seconds ("+3600.5s"), read again every 100 ms. The monotonic clock stays true. Only
// system calls, no library's functions: an allocator may ask for the time before anything is ready.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static _Atomic long long offset_ns;
static _Atomic long long read_at_ns;

static long long true_ns(clockid_t clock) {
  struct timespec now;
  syscall(SYS_clock_gettime, clock, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void read_offset(void) {
  const char* path = getenv("FAKE_CLOCK");
  int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) {
    return;
  }
  char text[64];
  long size = syscall(SYS_read, fd, text, sizeof(text));
  syscall(SYS_close, fd);
  long long value = 0, digit = 1000000000LL;
  int negative = 0, fraction = 0;
  for (long i = 0; i < size; ++i) {
    if (text[i] == '-') {
      negative = 1;
    } else if (text[i] == '.') {
      fraction = 1;
    } else if (text[i] >= '0' && text[i] <= '9' && !fraction) {
      value = value * 10 + (text[i] - '0') * 1000000000LL;
    } else if (text[i] >= '0' && text[i] <= '9') {
      digit /= 10;
      value += (text[i] - '0') * digit;
    }
  }
  atomic_store(&offset_ns, negative ? -value : value);
}

static long long wall_ns(void) {
  long long now = true_ns(CLOCK_MONOTONIC), last = atomic_load(&read_at_ns);
  if ((last == 0 || now - last > 100000000LL) &&
      atomic_compare_exchange_strong(&read_at_ns, &last, now)) {
    read_offset();
  }
  return true_ns(CLOCK_REALTIME) + atomic_load(&offset_ns);
}

int clock_gettime(clockid_t clock, struct timespec* out) {
  if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) {
    return (int)syscall(SYS_clock_gettime, clock, out);
  }
  long long now = wall_ns();
  out->tv_sec = now / 1000000000LL;
  out->tv_nsec = now % 1000000000LL;
  return 0;
}

int gettimeofday(struct timeval* out, void* zone) {
  (void)zone;
  long long now = wall_ns();
  out->tv_sec = now / 1000000000LL;
  out->tv_usec = now % 1000000000LL / 1000;
  return 0;
}

time_t time(time_t* out) {
  time_t now = wall_ns() / 1000000000LL;
  if (out) {
    *out = now;
  }
  return now;
}
