// A progress bar on stderr, when that is a terminal; nothing otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace stoq::tool {

class Progress {
public:
    Progress(std::string label, std::uint64_t total);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void set_total(std::uint64_t total) { total_ = total; }
    // `done` bytes are there, of which `skipped` were there before this run. Draws at most ten
    // times a second.
    void update(std::uint64_t done, std::uint64_t skipped);
    // Wipes the line.
    void clear();

private:
    void draw(std::uint64_t done, std::uint64_t skipped);

    std::string label_;
    std::uint64_t total_;
    bool enabled_;
    bool drawn_ = false;
    std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
    std::chrono::steady_clock::time_point next_ = started_;
};

}  // namespace stoq::tool
