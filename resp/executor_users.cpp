// Executor: who asks, and may they (SERVICES 5.2). A session asked before, by the users that its
// node knew; here it is asked again, by those of the state at this place of the log: so whatever a
// user asks behind an acknowledged change of its rights meets that change, on any node.
#include <string>

#include "config/base/check.hpp"
#include "resp/acl/permission.hpp"
#include "resp/executor_state.hpp"

namespace kiwi::resp {

// `checked_by`: the version of the users that a session checked it by; 0: by none.
void Executor::State::asked_by(const PackedCommand& command, uint64_t checked_by) {
  const acl::Users& users = context.users();
  asker_gone = false;
  if (!command.user) {
    // Nobody has to be found, or asked, where the default user may do everything.
    must_check = !users.default_is_free() && checked_by != users.version();
    context.asked_by(users.default_is_free() ? nullptr : users.default_user());
    return;
  }
  acl::Users::Ptr user = users.with_id(*command.user);
  asker_gone = user == nullptr;
  must_check = asker_gone || checked_by != users.version();
  context.asked_by(std::move(user));
}

// What stands in the way of it; empty: nothing. Only where must_check says so.
std::string Executor::State::denied(const CommandSpec& row, Args argv) {
  CHECK_INVARIANT(must_check && !argv.empty());
  const bool nodes = row.is_internal() && !by_user;  // what members say themselves
  if (nodes) {
    return {};
  }
  acl::Verdict verdict{acl::Denied::kCommand, 0};
  if (!asker_gone) {
    CHECK_INVARIANT(context.user() != nullptr);
    verdict = acl::check(context.user()->rights, row, argv);
  }
  if (verdict.allowed()) {
    return {};
  }
  CHECK_INVARIANT(verdict.position < argv.size());
  context.refused(verdict.denied, in_transaction ? acl::Where::kBlock : acl::Where::kTopLevel,
                  verdict.denied == acl::Denied::kCommand ? row.name : argv[verdict.position]);
  return in_transaction ? acl::refusal_in_block(verdict.denied)
                        : acl::refusal_text(verdict.denied, row);
}

void Executor::State::take_users() {
  if (const uint64_t changes = database.users().changes(); changes != users_changes) {
    users_changes = changes;
    effects.users_changed = true;
  }
}

std::shared_ptr<const acl::Users> Executor::users() { return state_->context.user_view().get(); }

bool Executor::users_seeded() const { return state_->database.users().seeded(); }

}  // namespace kiwi::resp
