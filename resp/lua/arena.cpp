#include "resp/lua/arena.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <sys/mman.h>

#include "config/base/check.hpp"

namespace kiwi::resp::lua {

namespace {

constexpr size_t kSmallStep = 16;
constexpr size_t kSmallMax = 512;
constexpr size_t kSmallClasses = kSmallMax / kSmallStep;
constexpr unsigned kSmallMaxBits = 9;  // of kSmallMax - 1
constexpr size_t kBytesPerStep = 16;

constexpr size_t class_of(size_t bytes) {
  if (bytes <= kSmallMax) {
    return (bytes + kSmallStep - 1) / kSmallStep - 1;
  }
  const unsigned bits = static_cast<unsigned>(std::bit_width(bytes - 1)) - 1;
  const size_t quarter = (bytes - 1) >> (bits - 2);  // 4 to 7
  return kSmallClasses + size_t{bits - kSmallMaxBits} * 4 + (quarter - 4);
}

constexpr size_t bytes_of(size_t size_class) {
  if (size_class < kSmallClasses) {
    return (size_class + 1) * kSmallStep;
  }
  const size_t beyond = size_class - kSmallClasses;
  return (beyond % 4 + 5) << (kSmallMaxBits + beyond / 4 - 2);
}

static_assert(bytes_of(class_of(1)) == 16 && bytes_of(class_of(512)) == 512);
static_assert(bytes_of(class_of(513)) == 640 && bytes_of(class_of(640)) == 640);
static_assert(bytes_of(class_of(641)) == 768 && bytes_of(class_of(1024)) == 1024);
static_assert(class_of(Arena::kBytes) < ArenaHeader::kClasses);

// nullptr: there is no room.
void* take(ArenaHeader& arena, size_t bytes) {
  if (bytes > Arena::kBytes) {
    return nullptr;
  }
  const size_t size_class = class_of(bytes);
  if (void* block = arena.free[size_class]) {
    std::memcpy(&arena.free[size_class], block, sizeof(void*));
    return block;
  }
  const size_t rounded = bytes_of(size_class);
  if (rounded > Arena::kBytes - arena.top) {
    return nullptr;
  }
  void* block = reinterpret_cast<char*>(&arena) + arena.top;
  arena.top += rounded;
  return block;
}

void give(ArenaHeader& arena, void* block, size_t bytes) {
  void*& first = arena.free[class_of(bytes)];
  std::memcpy(block, &first, sizeof(void*));
  first = block;
}

}  // namespace

std::unique_ptr<Arena> Arena::at_fixed_address(uint64_t group) {
  void* wanted = reinterpret_cast<void*>(kAddress + group * kDistance);
  void* base = mmap(wanted, kBytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (base == MAP_FAILED) {
    return nullptr;
  }
  if (base != wanted) {  // a kernel that does not know the flag
    munmap(base, kBytes);
    return nullptr;
  }
  std::unique_ptr<Arena> arena(new Arena(base));
  arena->clear();
  return arena;
}

std::unique_ptr<Arena> Arena::anywhere() {
  void* base = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) {
    return nullptr;
  }
  std::unique_ptr<Arena> arena(new Arena(base));
  arena->clear();
  return arena;
}

Arena::~Arena() { munmap(base_, kBytes); }

void Arena::give_back() {
  const size_t used = header().top;
  if (used > kKeptBytes) {
    madvise(static_cast<char*>(base_) + kKeptBytes, used - kKeptBytes, MADV_DONTNEED);
  }
}

void Arena::clear() {
  give_back();
  constexpr size_t kFirst = (sizeof(ArenaHeader) + kSmallStep - 1) / kSmallStep * kSmallStep;
  ArenaHeader* fresh = new (base_) ArenaHeader();
  fresh->top = kFirst;
}

std::string Arena::image() const {
  CHECK_INVARIANT(header().meter.stop == Stop::kNone);
  std::string bytes(static_cast<const char*>(base_), header().top);
  ArenaHeader kept = header();
  kept.run = nullptr;
  kept.meter = {};
  std::memcpy(bytes.data(), &kept, sizeof(kept));
  return bytes;
}

void Arena::restore(std::string_view image) {
  CHECK_INVARIANT(image.size() >= sizeof(ArenaHeader) && image.size() <= kBytes);
  give_back();
  std::memcpy(base_, image.data(), image.size());
  CHECK_INVARIANT(header().top == image.size());
}

void* reallocate(ArenaHeader& arena, void* block, size_t old_bytes, size_t new_bytes) {
  const bool has_block = block != nullptr && old_bytes != 0;
  if (new_bytes == 0) {
    if (has_block) {
      give(arena, block, old_bytes);
    }
    return nullptr;
  }
  const bool grows = !has_block || new_bytes > old_bytes;
  if (grows && !arena.meter.charge(new_bytes / kBytesPerStep)) {
    return nullptr;
  }
  if (has_block && class_of(old_bytes) == class_of(new_bytes)) {
    return block;
  }
  void* fresh = take(arena, new_bytes);
  if (fresh == nullptr) {
    if (!grows) {
      return block;  // it will be given back as one of the smaller class
    }
    arena.meter.stop = Stop::kMemory;
    return nullptr;
  }
  if (has_block) {
    std::memcpy(fresh, block, std::min(old_bytes, new_bytes));
    give(arena, block, old_bytes);
  }
  return fresh;
}

}  // namespace kiwi::resp::lua
