// hq-interop on both sides of a connection: what streams carry.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "contract.h"

namespace interop {

// The bytes that a stream still has to send. They stay until the stream is closed, because the
// library sends them again when they are lost.
struct Outgoing {
    std::string content;
    std::size_t sent = 0;
    bool end_sent = false;
    bool blocked = false;

    bool wants() const { return !blocked && !end_sent; }
};

class Files {
public:
    Files(const Options& options, std::vector<Url> urls)
        : options_(options), waiting_(std::move(urls)) {}

    // Client: the next file that nobody has asked for yet.
    const Url* next() const { return waiting_.empty() ? nullptr : &waiting_.back(); }
    void request(std::int64_t stream);

    void receive(std::int64_t stream, std::string_view bytes, bool end);
    void close(std::int64_t stream) { outgoing_.erase(stream); }

    std::map<std::int64_t, Outgoing>& outgoing() { return outgoing_; }
    std::size_t received() const { return received_; }
    bool is_done() const { return waiting_.empty() && transfers_.empty(); }

private:
    struct Transfer {
        Url url;  // client
        std::string content;
    };

    const Options& options_;
    std::vector<Url> waiting_;
    std::map<std::int64_t, Transfer> transfers_;
    std::map<std::int64_t, Outgoing> outgoing_;
    std::size_t received_ = 0;
};

}  // namespace interop
