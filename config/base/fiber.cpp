#include "config/base/fiber.hpp"

#include <exception>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

#include <boost/context/detail/fcontext.hpp>

#include "config/base/check.hpp"

// The sanitizers keep a stack of their own for each stack, and have to be told.
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace kiwi {

namespace context = boost::context::detail;

namespace {

// Larger than any frame: none reaches over it.
constexpr size_t kGuardBytes = 64 << 10;

// Grows downwards, onto pages that nobody may touch.
class Stack {
 public:
  explicit Stack(size_t wanted) {
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    guard_ = (kGuardBytes + page - 1) / page * page;
    bytes_ = (wanted + page - 1) / page * page + guard_;
    memory_ = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    CHECK_INVARIANT(memory_ != MAP_FAILED);
    CHECK_INVARIANT(::mprotect(memory_, guard_, PROT_NONE) == 0);
  }
  ~Stack() { ::munmap(memory_, bytes_); }
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  char* bottom() const { return static_cast<char*>(memory_) + guard_; }
  size_t bytes() const { return bytes_ - guard_; }
  char* top() const { return bottom() + bytes(); }

 private:
  void* memory_ = nullptr;
  size_t bytes_ = 0;
  size_t guard_ = 0;
};

}  // namespace

struct Fiber::State {
  State(std::function<void()> given, size_t stack_bytes)
      : work(std::move(given)), stack(stack_bytes) {}

  // Each switch: leave() on the stack that is left, arrive() on the one that is reached.
  void leave([[maybe_unused]] bool to_inside, [[maybe_unused]] bool for_good) {
#if defined(__SANITIZE_ADDRESS__)
    void** kept = for_good ? nullptr : to_inside ? &outside_frames : &inside_frames;
    if (to_inside) {
      __sanitizer_start_switch_fiber(kept, stack.bottom(), stack.bytes());
    } else {
      __sanitizer_start_switch_fiber(kept, outside_bottom, outside_bytes);
    }
#endif
#if defined(__SANITIZE_THREAD__)
    if (to_inside) {
      outside_fiber = __tsan_get_current_fiber();
    }
    __tsan_switch_to_fiber(to_inside ? inside_fiber : outside_fiber, 0);
#endif
  }
  void arrive([[maybe_unused]] bool at_inside) {
#if defined(__SANITIZE_ADDRESS__)
    if (at_inside) {
      __sanitizer_finish_switch_fiber(inside_frames, &outside_bottom, &outside_bytes);
    } else {
      __sanitizer_finish_switch_fiber(outside_frames, nullptr, nullptr);
    }
#endif
  }

  static void enter(context::transfer_t from) {
    State& s = *static_cast<State*>(from.data);
    s.arrive(true);
    s.outside = from.fctx;
    try {
      s.work();
    } catch (...) {
      s.thrown = std::current_exception();
    }
    s.ended = true;
    s.leave(false, true);
    context::jump_fcontext(s.outside, nullptr);
    fatal("a fiber that had ended was resumed");
  }

  std::function<void()> work;
  Stack stack;
  context::fcontext_t inside = nullptr;
  context::fcontext_t outside = nullptr;
  bool begun = false;
  bool running = false;
  bool ended = false;
  std::exception_ptr thrown;
#if defined(__SANITIZE_ADDRESS__)
  void* inside_frames = nullptr;
  void* outside_frames = nullptr;
  const void* outside_bottom = nullptr;
  size_t outside_bytes = 0;
#endif
#if defined(__SANITIZE_THREAD__)
  void* inside_fiber = __tsan_create_fiber(0);
  void* outside_fiber = nullptr;
#endif
};

Fiber::Fiber(std::function<void()> work, size_t stack_bytes)
    : state_(std::make_unique<State>(std::move(work), stack_bytes)) {
  State& s = *state_;
  s.inside = context::make_fcontext(s.stack.top(), s.stack.bytes(), &State::enter);
}

Fiber::~Fiber() {
  CHECK_INVARIANT(state_->ended || !state_->begun);  // what its stack holds would be lost
#if defined(__SANITIZE_THREAD__)
  __tsan_destroy_fiber(state_->inside_fiber);
#endif
}

void Fiber::resume() {
  State& s = *state_;
  CHECK_INVARIANT(!s.running && !s.ended);
  s.begun = s.running = true;
  s.leave(true, false);
  const context::transfer_t back = context::jump_fcontext(s.inside, &s);
  s.arrive(false);
  s.inside = back.fctx;
  s.running = false;
  if (s.thrown) {
    std::rethrow_exception(std::exchange(s.thrown, nullptr));
  }
}

void Fiber::rest() {
  State& s = *state_;
  CHECK_INVARIANT(s.running);
  CHECK_INVARIANT(std::uncaught_exceptions() == 0 && std::current_exception() == nullptr);
  s.leave(false, false);
  const context::transfer_t back = context::jump_fcontext(s.outside, nullptr);
  s.arrive(true);
  s.outside = back.fctx;
}

bool Fiber::is_running() const { return state_->running; }
bool Fiber::ended() const { return state_->ended; }

}  // namespace kiwi
