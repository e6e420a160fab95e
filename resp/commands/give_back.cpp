// kiwi.giveback token user list|zset head|tail key element...: what a serve took for a client whose
// connection was gone before it was applied, so that nobody was told. It goes to the end that it
// came from; another worker may have taken something in between.
#include <optional>
#include <string>

#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/once_token.hpp"

namespace kiwi::resp::commands {

namespace {

constexpr size_t kKeyAt = 5;

// With a token only while nobody was answered with it: afterwards it is as good as new.
bool take_back_token(Context& context, Args args) {
  const std::string_view token = args[1];
  if (token.empty()) {
    return true;
  }
  const std::optional<int64_t> user = parse_integer(args[2]);
  if (token.size() <= kOnceTokenHead || !user) {
    return false;
  }
  const Once::Name name{once_token_ms(token), static_cast<uint64_t>(*user), once_token_name(token)};
  std::optional<OnceRecord> record = context.state().once().find(name);
  if (!record || !record->takes || record->claimed || record->unused) {
    return false;
  }
  record->unused = true;
  record->kept = false;
  record->reply.clear();
  record->changed = context.state().index_now();
  context.state().once().put(name, *record);
  return true;
}

void give_back_elements(Context& context, List& list, ListEnd end, Args elements) {
  for (std::string_view element : elements) {
    list.push(end, element);
  }
  context.save(list, config::kEventList, end == ListEnd::kHead ? "lpush" : "rpush");
}

void give_back_members(Context& context, ZSet& set, Args members) {
  for (size_t i = 0; i + 1 < members.size(); i += 2) {
    const std::optional<double> score = parse_double(members[i + 1]);
    if (score && !set.score(members[i])) {  // somebody may have added it again
      set.add(*score, members[i]);
    }
  }
  context.save(set, config::kEventZset, "zadd");
}

}  // namespace

// A key of another type keeps what it is: what was taken is lost then, but for who names the token.
void give_back(Context& context, Args args, ReplyWriter& reply) {
  const Args elements = args.subspan(kKeyAt + 1);
  if (args[3] == "list") {
    List* list = context.open<List>(args[kKeyAt], reply);
    if (list == nullptr) {
      return;
    }
    if (!take_back_token(context, args)) {
      return reply.integer(0);
    }
    give_back_elements(context, *list, args[4] == "head" ? ListEnd::kHead : ListEnd::kTail,
                       elements);
  } else {
    ZSet* set = context.open<ZSet>(args[kKeyAt], reply);
    if (set == nullptr) {
      return;
    }
    if (!take_back_token(context, args)) {
      return reply.integer(0);
    }
    give_back_members(context, *set, elements);
  }
  reply.integer(static_cast<int64_t>(elements.size()));
}

}  // namespace kiwi::resp::commands
