// ByteStream over a TCP socket of the client loop. Idle streams hold no read buffer: they wait for
// readiness and read into one buffer that all streams of the loop share. A stream lives as long as
// it is watched.
#pragma once

#include <memory>

#include <boost/asio/ip/tcp.hpp>

#include "actors/clients/byte_stream.hpp"
#include "actors/clients/readable_sockets.hpp"

namespace kiwi::actors {

// The socket must be non-blocking.
std::shared_ptr<ByteStream> make_asio_stream(boost::asio::ip::tcp::socket socket,
                                             std::shared_ptr<ReadableSockets> readable,
                                             std::shared_ptr<std::string> read_buffer);

}  // namespace kiwi::actors
