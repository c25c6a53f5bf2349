// The public face: each call goes to the implementation.
#include "stoq/runtime.h"

#include <utility>

#include "base/instant_after.h"
#include "base/try.h"
#include "io/clock.h"
#include "runtime/implementation.h"

namespace stoq {

std::string RuntimeError::message() const {
    if (system) return text + ": " + system.message();
    if (api) return text + ": " + std::string(to_string(*api));
    return text;
}

Runtime::Runtime(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}

Runtime::~Runtime() = default;

RuntimeResult<std::unique_ptr<Runtime>> Runtime::create(const RuntimeSettings& settings) {
    auto implementation = STOQ_TRY(Implementation::create(settings));
    return std::unique_ptr<Runtime>(new Runtime(std::move(implementation)));
}

void Runtime::set_event_handler(EventHandler handler) {
    implementation_->set_event_handler(std::move(handler));
}

RuntimeResult<Address> Runtime::listen(const ListenConfig& config) {
    return implementation_->listen(config);
}

RuntimeResult<void> Runtime::replace_credentials(const Credentials& credentials) {
    return implementation_->replace_credentials(credentials);
}

RuntimeResult<ConnectionHandle> Runtime::connect(const ConnectConfig& config) {
    return implementation_->connect(config);
}

RuntimeResult<void> Runtime::migrate(ConnectionHandle connection, const Address& local,
                                     MigrationMode mode) {
    return implementation_->migrate(connection, local, mode);
}

Endpoint& Runtime::endpoint() {
    return implementation_->endpoint();
}

const Endpoint& Runtime::endpoint() const {
    return implementation_->endpoint();
}

Instant Runtime::now() const {
    return io::now();
}

void Runtime::run() {
    implementation_->run();
}

bool Runtime::run_once(Duration max_wait) {
    return implementation_->run_once(max_wait);
}

void Runtime::stop() {
    implementation_->stop();
}

void Runtime::post(Task task) {
    implementation_->post(std::move(task));
}

Runtime::TimerId Runtime::after(Duration delay, Task task) {
    return implementation_->timers().add(instant_after(io::now(), delay), std::move(task));
}

void Runtime::cancel(TimerId timer) {
    implementation_->timers().cancel(timer);
}

void Runtime::close_all(std::uint64_t code, std::string_view reason) {
    (void)endpoint().close_all(code, reason);
}

bool Runtime::drain(Duration limit) {
    return implementation_->drain(limit);
}

int Runtime::native_handle() {
    return implementation_->sockets().native_handle();
}

Instant Runtime::next_timeout() const {
    return implementation_->next_timeout();
}

DatapathReport Runtime::datapath_report() const {
    return implementation_->datapath_report();
}

}  // namespace stoq
