// A disk that fails on request: loaded by LD_PRELOAD into one kiwi-server. Before each write or sync
// of a file the rule file named by FAULTY_DISK is looked at: "OPERATION PATH-PART ACTION", where
// OPERATION is write or sync, and ACTION is EIO, ENOSPC (nothing happens but the error), half (half
// of the bytes are written, which write(2) may always do) or torn (half of them, then EIO). No file,
// no fault. slow:N takes N ms longer. Each fault is noted in FAULTY_DISK.seen.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum action { kNone, kEio, kEnospc, kHalf, kTorn };

static void note(const char* operation, const char* path) {
  char name[4200];
  snprintf(name, sizeof(name), "%s.seen", getenv("FAULTY_DISK"));
  int fd = open(name, O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (fd >= 0) {
    char line[4300];
    int size = snprintf(line, sizeof(line), "%s %s\n", operation, path);
    syscall(SYS_write, fd, line, size);
    close(fd);
  }
}

static enum action fault(const char* operation, int fd) {
  const char* rules = getenv("FAULTY_DISK");
  int file = rules ? open(rules, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) {
    return kNone;
  }
  char text[512] = {0};
  ssize_t size = read(file, text, sizeof(text) - 1);
  close(file);
  char wanted[16], part[256], what[16], link[64], path[4096] = {0};
  if (size <= 0 || sscanf(text, "%15s %255s %15s", wanted, part, what) != 3 ||
      strcmp(wanted, operation) != 0) {
    return kNone;
  }
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  if (readlink(link, path, sizeof(path) - 1) < 0 || strstr(path, part) == NULL) {
    return kNone;
  }
  note(operation, path);
  if (strncmp(what, "slow:", 5) == 0) {
    usleep(1000 * atoi(what + 5));
    return kNone;
  }
  return strcmp(what, "EIO") == 0 ? kEio : strcmp(what, "ENOSPC") == 0 ? kEnospc
         : strcmp(what, "half") == 0 ? kHalf : kTorn;
}

static ssize_t fail(enum action action) {
  errno = action == kEnospc ? ENOSPC : EIO;
  return -1;
}

ssize_t write(int fd, const void* bytes, size_t size) {
  enum action action = fd > 2 ? fault("write", fd) : kNone;
  if (action == kEio || action == kEnospc) {
    return fail(action);
  }
  if (action != kNone && size > 1) {
    ssize_t done = syscall(SYS_write, fd, bytes, size / 2);
    return action == kHalf ? done : fail(action);
  }
  return syscall(SYS_write, fd, bytes, size);
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset) {
  enum action action = fault("write", fd);
  if (action == kEio || action == kEnospc) {
    return fail(action);
  }
  if (action != kNone && size > 1) {
    ssize_t done = syscall(SYS_pwrite64, fd, bytes, size / 2, offset);
    return action == kHalf ? done : fail(action);
  }
  return syscall(SYS_pwrite64, fd, bytes, size, offset);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  return pwrite64(fd, bytes, size, offset);
}

int fdatasync(int fd) {
  enum action action = fault("sync", fd);
  return action == kNone ? (int)syscall(SYS_fdatasync, fd) : (int)fail(action);
}

int fsync(int fd) {
  enum action action = fault("sync", fd);
  return action == kNone ? (int)syscall(SYS_fsync, fd) : (int)fail(action);
}
