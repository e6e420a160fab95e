// A key that is open as a value of one type: what all types have in common. A command
// opens it (Context::open, Context::read), calls its methods and saves it once. Between a change
// and save() the key's record and its elements do not fit each other, so whoever forgets save() is
// stopped (Handles::close).
//
// Bytes that methods return are valid until the next call into the same Database.
#pragma once

#include <cstdint>

#include "resp/types/database.hpp"

namespace kiwi::resp {

class Handle {
 public:
  explicit Handle(Database& database) : database_(&database) {}

  const Key& key() const { return key_; }
  bool exists() const { return key_.live; }  // as stored: save() may change it
  bool changed() const { return changed_; }
  // For Handles: stands for that key from now on.
  void stand_for(const Key& key) {
    key_ = key;
    changed_ = fresh_ = false;
  }
  void give_back() {}  // buffers that a command made big

 protected:
  Database& database() const { return *database_; }
  Elements& elements() const { return database_->elements(); }

  Database* database_;
  Key key_;
  bool changed_ = false;
  bool fresh_ = false;  // made since it was opened, and has no record yet
};

// Of a type whose values are collections: there is a key exactly when there are elements.
class Collection : public Handle {
 public:
  using Handle::Handle;

  uint64_t size() const { return key_.live || fresh_ ? key_.meta.size : 0; }
  bool empty() const { return size() == 0; }
  // Writes the key's record if anything changed; a collection without elements has no key.
  void save();

 protected:
  // Before anything is changed. From here on key_.meta.last_modified is the change's.
  void begin_change(rocks::Type type);
  // Of what is changed now (element_value.hpp).
  uint64_t stamp() const { return key_.meta.last_modified - key_.meta.version; }
};

}  // namespace kiwi::resp
