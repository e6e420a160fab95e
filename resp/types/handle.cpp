#include "resp/types/handle.hpp"

#include "config/base/check.hpp"

namespace kiwi::resp {

void Collection::begin_change(rocks::Type type) {
  if (changed_) {
    return;
  }
  changed_ = true;
  if (key_.live) {
    database_->begin_update(key_);
  } else {
    database_->begin_new(key_, type);
    fresh_ = true;
  }
}

void Collection::save() {
  if (!changed_) {
    return;
  }
  changed_ = false;
  const bool stored = !fresh_;
  if (key_.meta.size == 0) {
    if (stored) {
      database_->remove_emptied(key_);
    }
    fresh_ = false;
  } else if (stored) {
    database_->store_updated(key_);
  } else {
    database_->store_new(key_);
    fresh_ = false;
  }
}

}  // namespace kiwi::resp
