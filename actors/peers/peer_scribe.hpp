// The socket of a peer, as BASP sees it. CAF's own scribe asks epoll before each write (two
// epoll_ctl and a round of the loop, on the way of every append and every answer) and reads a
// message with three calls; this one sends at once what the kernel takes, so that frames are on
// their way before the log's sync of the same turn begins, and reads all that has arrived with one.
//
// With TLS it is where BASP's bytes are encrypted: CAF's stream below it has nothing but what goes
// over the wire. A record that was changed, inserted, left out or sent twice ends the link before
// BASP sees a byte of it.
//
// Made by PeerLink when a socket is handed over; lives on the raft loop.
#pragma once

#include <caf/io/fwd.hpp>

#include "actors/peers/frame_socket.hpp"

namespace kiwi::actors {

// Takes the socket over. `system` runs CAF's default multiplexer.
caf::io::scribe_ptr make_peer_scribe(caf::actor_system& system, PeerWire wire);

}  // namespace kiwi::actors
