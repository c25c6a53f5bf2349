// The public face: handles in, results out.
#include "stoq/endpoint.h"

#include "endpoint/implementation.h"
#include "path/quic_lb.h"

namespace stoq {

ApiResult<Endpoint> Endpoint::create(const EndpointSettings& settings, RandomSource& random) {
    if (settings.connection_id_length < path::RandomConnectionIdGenerator::kMinLength ||
        settings.connection_id_length > wire::kMaxConnectionIdLength) {
        return std::unexpected(ApiError::kInvalidArgument);
    }
    if (settings.quic_lb && !path::QuicLbGenerator::is_valid(*settings.quic_lb)) {
        return std::unexpected(ApiError::kInvalidArgument);
    }
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
