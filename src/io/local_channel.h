// A channel between two processes of one machine: messages, each with descriptors if need be, over
// a Unix socket (SOCK_SEQPACKET).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "stoq/error.h"
#include "stoq/types.h"

namespace stoq::io {

// Descriptors that came with a message; what nobody took is closed.
class ReceivedDescriptors {
public:
    ReceivedDescriptors() = default;
    ~ReceivedDescriptors();
    ReceivedDescriptors(ReceivedDescriptors&& other) noexcept;
    ReceivedDescriptors& operator=(ReceivedDescriptors&& other) noexcept;

    void add(int descriptor) { descriptors_.push_back(descriptor); }
    std::size_t size() const { return descriptors_.size(); }
    // The caller closes it from now on.
    int take(std::size_t index);

private:
    std::vector<int> descriptors_;
};

struct LocalMessage {
    std::vector<std::uint8_t> bytes;  // empty: the peer has gone
    ReceivedDescriptors descriptors;
};

class LocalChannel {
public:
    static constexpr std::size_t kMaxMessage = 512;
    static constexpr std::size_t kMaxDescriptors = 4;

    // Fails with no_such_file_or_directory or connection_refused when nobody is there.
    static SystemResult<LocalChannel> connect(const std::string& path);
    ~LocalChannel();
    LocalChannel(LocalChannel&& other) noexcept;
    LocalChannel& operator=(LocalChannel&& other) noexcept;

    SystemResult<void> send(ByteView message, std::span<const int> descriptors = {}) const;
    // Waits for `patience` at most; fails with timed_out then, and with operation_canceled as soon
    // as `stop`, a descriptor or -1, is readable.
    SystemResult<LocalMessage> receive(Duration patience, int stop = -1) const;
    // The peer runs as the same user as we do.
    bool is_same_user() const;

private:
    friend class LocalListener;
    explicit LocalChannel(int descriptor) : descriptor_(descriptor) {}

    int descriptor_ = -1;
};

// Where others connect. Only the own user may.
class LocalListener {
public:
    // Takes the place of another's socket of that name.
    static SystemResult<LocalListener> create(const std::string& path);
    ~LocalListener();
    LocalListener(LocalListener&& other) noexcept;
    LocalListener& operator=(LocalListener&& other) noexcept;

    // Waits for ever, but fails with operation_canceled as soon as `stop` is readable.
    SystemResult<LocalChannel> accept(int stop) const;
    // Somebody else has taken the name: it will not be removed.
    void forget_name() { path_.clear(); }

private:
    LocalListener(int descriptor, std::string path)
        : descriptor_(descriptor), path_(std::move(path)) {}

    int descriptor_ = -1;
    std::string path_;
};

}  // namespace stoq::io
