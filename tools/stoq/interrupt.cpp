#include "interrupt.h"

#include <atomic>
#include <csignal>

#include "stoq/runtime.h"

namespace stoq::tool {
namespace {

std::atomic<Runtime*> running{nullptr};
std::atomic<bool> was_interrupted{false};

extern "C" void on_signal(int) {
    was_interrupted = true;
    if (Runtime* const runtime = running.load()) runtime->stop();
}

std::atomic<Runtime*> reloading{nullptr};
std::atomic<bool> was_hung_up{false};

extern "C" void on_hangup(int) {
    was_hung_up = true;
    // Ends the wait, and with it run_once(); the loop goes on.
    if (Runtime* const runtime = reloading.load()) runtime->stop();
}

}  // namespace

void stop_on_signals(Runtime* runtime) {
    running = runtime;
    struct sigaction action{};
    action.sa_handler = &on_signal;
    // The second signal ends a command that does not come to its end.
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() {
    return was_interrupted;
}

void reload_on_hangup(Runtime* runtime) {
    reloading = runtime;
    struct sigaction action{};
    action.sa_handler = runtime != nullptr ? &on_hangup : SIG_IGN;
    ::sigaction(SIGHUP, &action, nullptr);
}

bool take_hangup() {
    return was_hung_up.exchange(false);
}

}  // namespace stoq::tool
