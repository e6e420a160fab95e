// Lists: commands that wait for an element (F31). As handlers they never wait: where nothing is
// there, they say so.
#include "resp/commands/blocking.hpp"
#include "resp/commands/list_support.hpp"
#include "resp/commands/support.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

// key... timeout: all but the first and the last word.
Args keys_before_timeout(Args args) { return args.subspan(1, args.size() - 2); }

bool wait_for_pop(Args args, WaitFor& into) {
  const Args keys = keys_before_timeout(args);
  into.type = rocks::Type::kList;
  into.keys.assign(keys.begin(), keys.end());
  return read_timeout(args.back(), into.timeout_ms).empty();
}

// BLPOP key... timeout
void pop(Context& context, Args args, ListEnd end, ReplyWriter& reply) {
  int64_t timeout_ms = 0;
  if (const auto error = read_timeout(args.back(), timeout_ms); !error.empty()) {
    return reply.error(error);
  }
  for (std::string_view name : keys_before_timeout(args)) {
    if (!context.takes_from(name, List::kType)) {
      continue;
    }
    List* list = context.open<List>(name, reply);
    if (list == nullptr) {
      return;
    }
    reply.array(2);
    reply.bulk(name);
    list->pop(end, 1, into(reply));
    return context.save(*list, config::kEventList, end == ListEnd::kHead ? "lpop" : "rpop");
  }
  context.nothing_there();
  reply.null_array();
}

// BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout. An error's text, or nothing.
struct Move {
  ListEnd from = ListEnd::kTail;
  ListEnd to = ListEnd::kHead;
  int64_t timeout_ms = 0;
};
std::string_view read_move(Args args, Move& move) {
  const auto from = list_end(args[3]);
  const auto to = list_end(args[4]);
  if (!from || !to) {
    return texts::kSyntax;
  }
  move.from = *from;
  move.to = *to;
  return read_timeout(args[5], move.timeout_ms);
}

bool wait_for_move(Args args, WaitFor& into) {
  Move move;
  into.type = rocks::Type::kList;
  into.keys.assign(1, args[1]);
  const bool waits = read_move(args, move).empty();
  into.timeout_ms = move.timeout_ms;
  return waits;
}

bool wait_for_rotation(Args args, WaitFor& into) {
  into.type = rocks::Type::kList;
  into.keys.assign(1, args[1]);
  return read_timeout(args[3], into.timeout_ms).empty();
}

// BLMPOP timeout numkeys key... LEFT|RIGHT [COUNT count]: what is wrong behind the timeout is said
// first.
std::string_view read_many(Args args, ListPop& pop, int64_t& timeout_ms) {
  const std::string_view error = read_list_pop(args.subspan(2), pop);
  return error.empty() ? read_timeout(args[1], timeout_ms) : error;
}

bool wait_for_many(Args args, WaitFor& into) {
  ListPop pop;
  const bool waits = read_many(args, pop, into.timeout_ms).empty();
  into.type = rocks::Type::kList;
  into.keys.assign(pop.keys.begin(), pop.keys.end());
  into.count = pop.count;
  return waits;
}

// To the end that they came from, the last one first.
void give_back(ListEnd end,
               const std::vector<std::string>& taken,
               std::vector<std::string>& words) {
  words.emplace_back("list");
  words.emplace_back(end == ListEnd::kHead ? "head" : "tail");
  words.push_back(taken.front());
  words.insert(words.end(), taken.rbegin(), taken.rend() - 1);
}

void give_back_popped(Args args,
                      const std::vector<std::string>& taken,
                      std::vector<std::string>& words) {
  give_back(same_word(args[0], "brpop") ? ListEnd::kTail : ListEnd::kHead, taken, words);
}

void give_back_many(Args args,
                    const std::vector<std::string>& taken,
                    std::vector<std::string>& words) {
  ListPop pop;
  int64_t timeout_ms = 0;
  read_many(args, pop, timeout_ms);
  give_back(pop.end, taken, words);
}

}  // namespace

const WaitRule waits_for_pop{.wait = wait_for_pop, .give_back = give_back_popped};
const WaitRule waits_for_move{.wait = wait_for_move};
const WaitRule waits_for_rotation{.wait = wait_for_rotation};
const WaitRule waits_for_many{
    .wait = wait_for_many, .give_back = give_back_many, .timeout = TimeoutAt::kFirst};

void blpop(Context& context, Args args, ReplyWriter& reply) {
  pop(context, args, ListEnd::kHead, reply);
}
void brpop(Context& context, Args args, ReplyWriter& reply) {
  pop(context, args, ListEnd::kTail, reply);
}

void blmove(Context& context, Args args, ReplyWriter& reply) {
  Move move;
  if (const auto error = read_move(args, move); !error.empty()) {
    return reply.error(error);
  }
  move_between(context, args.subspan(1, 2), move.from, move.to, reply);
}

void brpoplpush(Context& context, Args args, ReplyWriter& reply) {
  int64_t timeout_ms = 0;
  if (const auto error = read_timeout(args[3], timeout_ms); !error.empty()) {
    return reply.error(error);
  }
  move_between(context, args.subspan(1, 2), ListEnd::kTail, ListEnd::kHead, reply);
}

void blmpop(Context& context, Args args, ReplyWriter& reply) {
  ListPop pop;
  int64_t timeout_ms = 0;
  if (const auto error = read_many(args, pop, timeout_ms); !error.empty()) {
    return reply.error(error);
  }
  pop_from_first(context, pop, reply);
}

}  // namespace kiwi::resp::commands
