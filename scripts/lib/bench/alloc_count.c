// Preloaded into a server by scripts/bench profile: counts its calls of malloc and of libc's memcpy
// and memmove (what the compiler copies inline is not seen), into a file that the script reads while
// the server runs. Numbers are relaxed atomics of eight bytes, in the order of `enum`.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { kAllocations, kAllocatedBytes, kFrees, kCopies, kCopiedBytes, kCount };

extern void* __libc_malloc(size_t size);
extern void* __libc_calloc(size_t count, size_t size);
extern void* __libc_realloc(void* old, size_t size);
extern void* __libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void* block);

static atomic_ullong before_start[kCount];
static atomic_ullong* counters = before_start;

static void count(int which, size_t bytes) {
  atomic_fetch_add_explicit(&counters[which], 1, memory_order_relaxed);
  if (which != kFrees) {
    atomic_fetch_add_explicit(&counters[which + 1], bytes, memory_order_relaxed);
  }
}

// KIWI_COUNTS is a directory; the file in it is called by the process's number.
__attribute__((constructor)) static void start(void) {
  const char* directory = getenv("KIWI_COUNTS");
  char path[4096];
  if (!directory || snprintf(path, sizeof path, "%s/%d", directory, (int)getpid()) < 0) {
    return;
  }
  const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ftruncate(file, sizeof before_start) != 0) {
    return;
  }
  void* shared = mmap(NULL, sizeof before_start, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (shared != MAP_FAILED) {
    counters = shared;
  }
}

void* malloc(size_t size) {
  count(kAllocations, size);
  return __libc_malloc(size);
}

void* calloc(size_t many, size_t size) {
  count(kAllocations, many * size);
  return __libc_calloc(many, size);
}

void* realloc(void* old, size_t size) {
  count(kAllocations, size);
  return __libc_realloc(old, size);
}

void* memalign(size_t alignment, size_t size) {
  count(kAllocations, size);
  return __libc_memalign(alignment, size);
}

void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void** out, size_t alignment, size_t size) {
  *out = memalign(alignment, size);
  return *out ? 0 : ENOMEM;
}

void free(void* block) {
  if (block) {
    count(kFrees, 0);
  }
  __libc_free(block);
}

// The server's own allocator (jemalloc) brings operators and a malloc_usable_size() of its own, which
// would meet blocks of libc's.
size_t malloc_usable_size(void* block) {
  static size_t (*libc)(void*);
  if (!libc) {
    *(void**)&libc = dlsym(dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), "malloc_usable_size");
  }
  return libc(block);
}

static void* made(void* block) {
  if (!block) {
    abort();
  }
  return block;
}

#define NEW(of, align) \
  void* _Zn##of##m(size_t size) { return made(malloc(size)); } \
  void* _Zn##of##mRKSt9nothrow_t(size_t size, const void* tag) { return (void)tag, malloc(size); } \
  void* _Zn##of##m##align(size_t size, size_t to) { return made(memalign(to, size)); } \
  void* _Zn##of##m##align##RKSt9nothrow_t(size_t size, size_t to, const void* tag) { \
    return (void)tag, memalign(to, size); \
  }
#define DELETE(of, align) \
  void _Zd##of##Pv(void* block) { free(block); } \
  void _Zd##of##Pvm(void* block) { free(block); } \
  void _Zd##of##PvRKSt9nothrow_t(void* block) { free(block); } \
  void _Zd##of##Pv##align(void* block) { free(block); } \
  void _Zd##of##Pvm##align(void* block) { free(block); } \
  void _Zd##of##Pv##align##RKSt9nothrow_t(void* block) { free(block); }

NEW(w, St11align_val_t)
NEW(a, St11align_val_t)
DELETE(l, St11align_val_t)
DELETE(a, St11align_val_t)

// By the processor's own string instructions: calling libc's would come back here.
void* memcpy(void* restrict to, const void* restrict from, size_t size) {
  count(kCopies, size);
  void* at = to;
  __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size) : : "memory");
  return to;
}

void* memmove(void* to, const void* from, size_t size) {
  count(kCopies, size);
  if ((char*)to <= (const char*)from || (char*)to >= (const char*)from + size) {
    void* at = to;
    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size) : : "memory");
  } else {
    char* at = (char*)to + size - 1;
    const char* source = (const char*)from + size - 1;
    __asm__ volatile("std; rep movsb; cld" : "+D"(at), "+S"(source), "+c"(size) : : "memory");
  }
  return to;
}
