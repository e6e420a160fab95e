// What a script reaches of the database: each redis.call() is a command inside the one that runs
// the script. It has an undo of its own, draws its own random numbers (F10), and answers a value on
// every node, for what the script does next may depend on it.
//
// One for each run, on the executor's thread.
#pragma once

#include <cstdint>

#include "resp/acl/permission.hpp"
#include "resp/context.hpp"
#include "resp/lua/machine.hpp"
#include "resp/value_writer.hpp"

namespace kiwi::resp {

class ScriptHost final : public lua::Host {
 public:
  // read_only: commands that write are refused. `reply`: of the command that runs the script; it
  // tells whether somebody waits here.
  ScriptHost(Context& context, const ReplyWriter& reply, bool read_only);
  ~ScriptHost();  // the context is the outer command's again
  ScriptHost(const ScriptHost&) = delete;
  ScriptHost& operator=(const ScriptHost&) = delete;

  Called call(Args args, int version) override;
  bool knows(Args args) override;
  bool may_call(Args args) override;
  void log(lua::LogLevel level, std::string_view text) override;
  void rest() override;
  uint64_t records() const { return records_; }  // that its calls looked at and Steps counted

 private:
  acl::Verdict verdict(const CommandSpec& row, Args args) const;
  void execute_local(const CommandSpec& row, Args args, ReplyWriter& value);
  void run(const CommandSpec& row, Args args, ValueWriter& value);

  Context& context_;
  const Context::Frame outer_;
  const bool silent_;  // nobody waits: another node's client, or an old entry
  const bool read_only_;
  const uint32_t cluster_version_;
  uint64_t seed_ = 0;
  uint64_t calls_ = 0;
  uint64_t records_ = 0;
  uint32_t database_;  // SELECT's, for the calls behind it
};

}  // namespace kiwi::resp
