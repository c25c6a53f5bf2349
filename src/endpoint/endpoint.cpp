// The public face: handles in, results out.
#include "stoq/endpoint.h"

#include "endpoint/implementation.h"
#include "path/quic_lb.h"
#include "path/worker_ids.h"

namespace stoq {

namespace {

bool is_valid(const WorkerSettings& worker, const EndpointSettings& settings) {
    const int behind_last = worker.first + worker.count;
    return settings.persistent_key.is_set() && worker.number >= worker.first &&
           worker.number < behind_last && behind_last <= path::WorkerIdGenerator::kMaxWorkers;
}

std::size_t length_of_ids(const EndpointSettings& settings) {
    const std::size_t length = settings.quic_lb
                                   ? path::QuicLbGenerator::length_of(*settings.quic_lb)
                                   : std::size_t{settings.connection_id_length};
    return length + (settings.worker ? path::WorkerIdGenerator::kExtraLength : 0);
}

}  // namespace

ApiResult<Endpoint> Endpoint::create(const EndpointSettings& settings, RandomSource& random) {
    const bool valid =
        settings.connection_id_length >= path::RandomConnectionIdGenerator::kMinLength &&
        (!settings.quic_lb || path::QuicLbGenerator::is_valid(*settings.quic_lb)) &&
        (!settings.worker || is_valid(*settings.worker, settings)) &&
        length_of_ids(settings) <= wire::kMaxConnectionIdLength;
    if (!valid) return std::unexpected(ApiError::kInvalidArgument);
    return Endpoint(std::make_unique<Implementation>(settings, random));
}

Endpoint::Endpoint(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
Endpoint::Endpoint(Endpoint&&) noexcept = default;
Endpoint& Endpoint::operator=(Endpoint&&) noexcept = default;
Endpoint::~Endpoint() = default;

ApiResult<void> Endpoint::listen(const ServerConfig& config) {
    return implementation_->listen(config);
}

ApiResult<void> Endpoint::replace_credentials(const Credentials& credentials) {
    return implementation_->replace_credentials(credentials);
}

void Endpoint::stop_listening() {
    implementation_->stop_listening();
}

ApiResult<ConnectionHandle> Endpoint::connect(const ClientConfig& config, Instant now) {
    return implementation_->connect(config, now);
}

void Endpoint::receive(std::span<ReceivedDatagram> datagrams, Instant now) {
    implementation_->receive(datagrams, now);
}

void Endpoint::admit_handshakes(std::size_t count, Instant now) {
    implementation_->admit_handshakes(count, now);
}

std::size_t Endpoint::held_datagrams() const {
    return implementation_->held_datagrams();
}

std::span<const ForeignDatagram> Endpoint::foreign_datagrams() const {
    return implementation_->foreign_datagrams();
}

std::size_t Endpoint::connection_id_length() const {
    return implementation_->connection_id_length();
}

void Endpoint::settle() {
    implementation_->settle();
}

bool Endpoint::transmit(TransmitSlot& slot, Instant now) {
    return implementation_->transmit(slot, now);
}

Instant Endpoint::next_timeout() const {
    return implementation_->next_timeout();
}

void Endpoint::on_timeout(Instant now) {
    implementation_->on_timeout(now);
}

void Endpoint::on_unreachable(const Address& remote, Instant now) {
    implementation_->on_unreachable(remote, now);
}

std::optional<Event> Endpoint::poll_event() {
    return implementation_->poll_event();
}

EndpointStatistics Endpoint::statistics() const {
    return implementation_->statistics();
}

void Endpoint::set_event_sink(observe::EventSink* sink) {
    implementation_->set_event_sink(sink);
}

}  // namespace stoq
