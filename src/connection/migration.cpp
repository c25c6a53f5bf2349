// Another path: what we begin ourselves, and what it does to the connection (RFC 9000 section 9).
#include "base/try.h"
#include "connection/connection.h"

namespace stoq::connection {

ApiResult<void> Connection::migrate(const Address& local, bool at_once, Instant now) {
    if (config_.role == Role::kServer) return std::unexpected(ApiError::kNotSupported);
    //= 9000-9-1
    if (!status_.confirmed) return std::unexpected(ApiError::kNotReady);
    //= 9000-9-2
    //= 9000-18.2-3
    if (peer_parameters_->disable_active_migration) {
        return std::unexpected(ApiError::kNotSupported);
    }
    if (local.family != addresses().remote.family) {
        return std::unexpected(ApiError::kInvalidArgument);
    }
    return begin_migration({local, addresses().remote}, at_once, now);
}

ApiResult<void> Connection::begin_migration(const path::AddressPair& to, bool at_once,
                                            Instant now) {
    const auto migration =
        STOQ_TRY(paths_.begin_migration(to, at_once, validation_input(now), ids_.remote));
    if (migration) on_migration(*migration, now);
    return {};
}

// Client: the server would rather be spoken to elsewhere. What cannot be done is not done.
//= 9000-9.6.1-2
//= 9000-9.6.1-4
//= 9000-9.6.2-1
void Connection::follow_preferred_address(Instant now) {
    if (!peer_parameters_->preferred_address || !config_.settings.follow_preferred_address) return;
    const wire::PreferredAddress& preferred = *peer_parameters_->preferred_address;
    //= 9000-9.6.3-6
    const bool ipv4 = addresses().remote.family == Address::Family::kIpv4;
    const Address& to = ipv4 ? preferred.ipv4 : preferred.ipv6;
    if (to.family == Address::Family::kNone) return;
    (void)begin_migration({addresses().local, to}, false, now);
}

void Connection::on_migration(const path::Migration& migration, Instant now) {
    ++counters_.migrations;
    status_.migrated = addresses();
    status_.rare_news = true;
    ++status_.reset_tokens_version;
    // It was for the other address; when this one is proved there will be another.
    pending_.new_token = false;
    // What was learned of the path before says nothing about another one.
    if (!migration.keep_congestion_state) {
        //= 9000-9.4-1
        //= 9000-9.4-2
        status_.recovery_path = recovery::path_after(status_.recovery_path);
        recovery_.on_path_changed(status_.recovery_path, config_.settings.initial_rtt, now);
        controller_->reset();
        pacer_ = congestion::Pacer(static_cast<std::uint32_t>(datagram_size()));
    }
    const auto size = static_cast<std::uint32_t>(datagram_size());
    controller_->on_datagram_size_changed(size);
    pacer_.on_datagram_size_changed(size);
    paths_.active().mtu.enable();
    recovery_.set_amplification_limited(paths_.active().amplification.blocked());
    observer_.emit(now, observe::PathAssigned{.path = paths_.active().serial,
                                              .local = addresses().local,
                                              .remote = addresses().remote});
    observer_.emit(now, observe::MigrationStateUpdated{
                            .path = paths_.active().serial,
                            .new_state = observe::MigrationState::kMigrationComplete});
}

}  // namespace stoq::connection
