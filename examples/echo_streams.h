// What an echo server does with a readable stream, in calls of stoq/endpoint.h.
#pragma once

#include "stoq/endpoint.h"

// Moves what there is from the stream's receiving to its sending side. Call it again when the
// stream is readable, or writable, again: that is told only after peek() had nothing to show, or
// write() took less than it was given.
inline void echo(stoq::Endpoint& endpoint, stoq::ConnectionHandle connection,
                 stoq::StreamId stream) {
    while (const auto view = endpoint.peek(connection, stream)) {
        if (view->bytes.empty() && !view->finished) return;
        const auto taken = endpoint.write(connection, stream, view->bytes);
        if (!taken) return;
        const bool all = *taken == view->bytes.size();
        const bool end = all && view->finished;
        if (!endpoint.consume(connection, stream, *taken)) return;
        // Fails when the peer wants no answer any more, and then there is nothing to finish.
        if (end) (void)endpoint.finish(connection, stream);
        if (end || !all) return;
    }
}

// The same for an event that may be about a stream.
inline void echo(stoq::Endpoint& endpoint, const stoq::Event& event) {
    if (const auto* readable = std::get_if<stoq::StreamReadable>(&event)) {
        echo(endpoint, readable->connection, readable->stream);
    } else if (const auto* writable = std::get_if<stoq::StreamWritable>(&event)) {
        echo(endpoint, writable->connection, writable->stream);
    }
}
