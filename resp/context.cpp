#include "resp/context.hpp"

#include "config/base/reuse.hpp"

namespace kiwi::resp {

void Context::begin(const CommandSpec& command, uint32_t database, const Moment& moment) {
  command_ = &command;
  database_ = database;
  moment_ = moment;
  found_nothing_ = false;
  found_no_script_ = false;
  give_back_if_big(scratch_);
  state_.begin_command();
  handles_.begin();
}

// Names that were looked for lie in a script's memory, which moves on; steps go on counting.
void Context::enter(const Frame& frame) {
  command_ = frame.command;
  database_ = frame.database;
  moment_ = frame.moment;
  found_nothing_ = false;  // inside a script nothing waits
  handles_.begin();
  state_.forget_names();
}

Prng Context::prng() const {
  Prng entry(moment_.seed);
  return Prng(entry.next() ^ (moment_.ordinal * 0x9e3779b97f4a7c15ULL));
}

Key Context::find_in(uint32_t database, std::string_view name) {
  Key key = state_.find(state_.physical(database), name, moment_.now_ms);
  met_ttl_ = met_ttl_ || (key.live && key.meta.has_deadline());
  return key;
}

Key Context::find(std::string_view name) { return find_in(database_, name); }

Key Context::read(std::string_view name) {
  Key key = find(name);
  ++(key.live ? stats_.hits : stats_.misses);
  if (!key.live) {
    state_.outward().key_missed(database_, name);
  }
  return key;
}

void Context::set_string(Key& key,
                         std::string_view value,
                         int64_t expire_at_ms,
                         bool new_deadline) {
  if (expire_at_ms == 0 || expire_at_ms > moment_.now_ms) {
    String::assign(state_, key, value, expire_at_ms);
    notify(config::kEventString, "set", key.name);
    if (expire_at_ms != 0 && new_deadline) {
      notify(config::kEventGeneric, "expire", key.name);
    }
  } else if (key.live) {  // it is over at once
    state_.remove(key);
    notify(config::kEventExpired, "expired", key.name);
  } else if (key.present) {
    state_.remove_expired(key);
  }
}

bool refuse_type(const Key& key, rocks::Type type, ReplyWriter& reply) {
  if (!key.live || key.meta.type == type) {
    return false;
  }
  reply.error(texts::kWrongType);
  return true;
}

}  // namespace kiwi::resp
