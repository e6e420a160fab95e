// What entries tell the outside, beside state and replies: messages of PUBLISH in a block, and
// events of keys. Commands hand them over while they run; an undone command's are taken back; the
// executor's owner delivers them once the turn is committed.
//
// Never part of the state or its checksum: which of them are kept depends on who listens on this
// node, and nothing that entries leave behind may depend on that. Owned by the Database.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/base/ids.hpp"
#include "config/key_events.hpp"
#include "config/limits.hpp"

namespace kiwi::resp {

struct OutwardEvent {
  enum class Kind : uint8_t { kPublish, kShardPublish, kKey, kScriptCall };
  Kind kind = Kind::kPublish;
  uint32_t database = 0;     // kKey, kScriptCall: logical
  std::string channel;       // kKey: the event's name
  std::string message;       // kKey: the key; kScriptCall: the command, packed
  config::KeyEvents to = 0;  // kKey: kKeyspaceChannel, kKeyeventChannel or both
  bool operator==(const OutwardEvent&) const = default;
};

// How many subscribers of this node a message of that channel has.
using ReceiverCounter = std::function<uint64_t(bool sharded, std::string_view channel)>;

// Told, while entries and reads are executed, which keys the clients of this node read and which
// are changed: for those who cache them. Told too much it does no harm; too little lets a client
// keep an old value for ever. Connections are resp::ConnectionId.
class KeyTracker {
 public:
  virtual ~KeyTracker() = default;
  // Is the client of the read in this slot to hear of changes of its keys?
  virtual bool follows(uint64_t connection, uint64_t slot) = 0;
  virtual void remember(uint64_t connection, std::string_view key) = 0;
  // The read will be executed elsewhere, on the state of this moment, and answered much later.
  virtual void put_aside(uint64_t read, uint64_t connection, std::vector<std::string> keys) = 0;
  virtual void answered(uint64_t read) = 0;
  // `by`: the connection whose command did it; 0: none of this node.
  virtual void modified(std::string_view key, uint64_t by) = 0;
  virtual void flushed() = 0;  // any key may be another one now
};

// Who listens on this node.
struct Listening {
  bool live = false;         // false: the node repeats what was told before, or serves nothing yet
  LogIndex after;            // entries up to here were told before the start, or to nobody
  bool subscribers = false;  // to anything
  bool key_subscribers = false;                // to something that an event of a key could go to
  const ReceiverCounter* receivers = nullptr;  // outlives the executor
  KeyTracker* tracker = nullptr;               // likewise; none: no client caches anything
  bool monitors = false;                       // somebody said MONITOR
};

class Outward {
 public:
  void listen(const Listening& listening) {
    listening_ = listening;
    choose_misses();
  }
  // Of notify-keyspace-events. An entry that changes them goes on by the new ones.
  void set_classes(config::KeyEvents classes) {
    classes_ = classes;
    choose_misses();
    choose_notifies();
  }
  void begin_entry(LogIndex index) {
    live_ = told_ = listening_.live && index > listening_.after;
    publishes_ = told_ && listening_.subscribers;
    choose_notifies();
  }
  // Outside of entries only key_missed() is told.
  void end_entry() { told_ = publishes_ = notifies_ = false; }

  // How many receive it on this node.
  uint64_t publish(bool sharded, std::string_view channel, std::string_view message) {
    const uint64_t receivers = publishes_ && listening_.receivers != nullptr
                                   ? (*listening_.receivers)(sharded, channel)
                                   : 0;
    if (receivers != 0) {
      add({sharded ? OutwardEvent::Kind::kShardPublish : OutwardEvent::Kind::kPublish, 0,
           std::string(channel), std::string(message), 0});
    }
    return receivers;
  }
  void key_event(config::KeyEvent event, uint32_t database, std::string_view key) {
    if (wants(event.of)) {
      add_key_event(event, database, key);
    }
  }

  // A read, in an entry or not, found nothing. Of too many in a turn the rest is not told.
  void key_missed(uint32_t database, std::string_view key) {
    if (misses_ && bytes_ < kMissBytes) {
      add_key_event({config::kEventKeyMiss, "keymiss"}, database, key);
    }
  }

  // A script that a client of this node waits for, in an entry or not, called this. Of too many in
  // a turn the rest is not told.
  bool tells_script_calls() const { return listening_.monitors && bytes_ < kMissBytes; }
  void script_called(uint32_t database, std::string packed) {
    add({OutwardEvent::Kind::kScriptCall, database, {}, std::move(packed), 0});
  }

  // While it lives, what is created takes the place of a key that was there: it is not `new`.
  class Overwriting {
   public:
    Overwriting(Outward& outward, bool overwrites) : outward_(outward) {
      outward_.overwrites_ = overwrites;
    }
    ~Overwriting() { outward_.overwrites_ = false; }
    Overwriting(const Overwriting&) = delete;
    Overwriting& operator=(const Overwriting&) = delete;

   private:
    Outward& outward_;
  };
  bool tells_new() const { return wants(config::kEventNew) && !overwrites_; }

  // The entry is not one that is repeated after a start.
  bool live() const { return live_; }

  bool wants(config::KeyClass of) const { return notifies_ && config::is_wanted(classes_, of); }

  // ---- for clients that cache keys
  KeyTracker* tracker() const { return listening_.tracker; }
  // Whose command is executed from now on.
  void set_origin(uint64_t connection) { origin_ = connection; }
  void modified(std::string_view key) {
    if (listening_.tracker != nullptr) {
      listening_.tracker->modified(key, origin_);
    }
  }
  void flushed() {
    if (listening_.tracker != nullptr) {
      listening_.tracker->flushed();
    }
  }

  size_t bytes() const { return bytes_; }  // of what waits
  std::vector<OutwardEvent> take() {
    bytes_ = 0;
    return std::exchange(events_, {});
  }

  // ---- undo
  size_t mark() const { return events_.size(); }
  void undo_to(size_t mark) {
    for (; events_.size() > mark; events_.pop_back()) {
      bytes_ -= bytes_of(events_.back());
    }
  }

 private:
  static constexpr size_t kMissBytes = 4 * config::limits::kMiB;

  void choose_misses() {
    misses_ = listening_.live && listening_.key_subscribers && config::says_anything(classes_) &&
              config::is_wanted(classes_, config::kEventKeyMiss);
  }
  void choose_notifies() {
    notifies_ = told_ && listening_.key_subscribers && config::says_anything(classes_);
  }
  void add_key_event(const config::KeyEvent& event, uint32_t database, std::string_view key) {
    add({OutwardEvent::Kind::kKey, database, std::string(event.name), std::string(key),
         classes_ & (config::kKeyspaceChannel | config::kKeyeventChannel)});
  }
  static size_t bytes_of(const OutwardEvent& event) {
    return sizeof(OutwardEvent) + event.channel.size() + event.message.size();
  }
  void add(OutwardEvent event) {
    bytes_ += bytes_of(event);
    events_.push_back(std::move(event));
  }

  Listening listening_;
  config::KeyEvents classes_ = 0;
  bool live_ = false;
  bool told_ = false;  // this entry is told to whoever listens
  bool publishes_ = false;
  bool notifies_ = false;
  bool misses_ = false;  // of reads, also outside of entries
  bool overwrites_ = false;
  uint64_t origin_ = 0;
  std::vector<OutwardEvent> events_;
  size_t bytes_ = 0;
};

}  // namespace kiwi::resp
