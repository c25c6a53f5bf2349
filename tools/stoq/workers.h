// A few threads for what would keep the network waiting: reading, writing and hashing files.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace stoq::tool {

class Workers {
public:
    // One thread per processor, at most `most`.
    explicit Workers(unsigned most = 4);
    // Waits for the jobs that run; those that have not begun are dropped.
    ~Workers();
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    // Jobs begin in order; several run at once. A job must not throw.
    void submit(std::function<void()> job);

private:
    void work();

    std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<std::function<void()>> jobs_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace stoq::tool
