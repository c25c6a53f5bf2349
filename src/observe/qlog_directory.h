// QlogDirectory: a qlog file for each connection, in one directory.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "observe/event_sink.h"

namespace stoq::observe {

// Files are named after the connection's first Destination Connection ID and the role:
// "8394c8f03e515708_client.sqlog". A file that exists is left alone and another name taken. The
// file of a connection is closed with its last event, all files with the QlogDirectory. Events of
// the endpoint itself, which belong to no connection, are not written.
class QlogDirectory final : public EventSink {
public:
    static constexpr std::size_t kDefaultMaxOpen = 256;

    // `directory` must exist. Connections that begin while `max_open` files are open get none.
    explicit QlogDirectory(std::string directory, std::size_t max_open = kDefaultMaxOpen);
    ~QlogDirectory() override;

    void on_event(const EventContext& context, const Event& event) override;

    std::size_t open_files() const { return traces_.size(); }
    // Events that were not written, for want of a file.
    std::uint64_t skipped() const { return skipped_; }

private:
    struct Trace;
    // Length, bytes and role of a connection.
    using Key = std::array<std::uint8_t, Observer::kMaxIdLength + 2>;

    static Key key_of(const EventContext& context);
    Trace* find_or_open(const EventContext& context, const Key& key);

    std::string directory_;
    std::size_t max_open_;
    std::map<Key, std::unique_ptr<Trace>> traces_;
    std::uint64_t skipped_ = 0;
};

}  // namespace stoq::observe
