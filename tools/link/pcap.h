// Writes what passed a device to a capture file, in pcap's format, with nanoseconds.
#pragma once

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

#include "stoq/types.h"

namespace stoq::link {

class Pcap {
public:
    // A closed one: add() does nothing.
    Pcap() = default;
    // Throws std::system_error when the file cannot be written.
    explicit Pcap(const std::string& path);

    // `time` is since the epoch.
    void add(ByteView packet, std::chrono::nanoseconds time);
    void flush();

private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace stoq::link
