#include "wire/transport_parameters.h"

#include <algorithm>
#include <cstring>

#include "wire/frame.h"
#include "wire/varint.h"

namespace stoq::wire {
namespace {

using Parameters = TransportParameters;

constexpr std::uint64_t kStatelessResetTokenId = 0x02;
constexpr std::uint64_t kPreferredAddressId = 0x0d;
constexpr std::uint64_t kVersionInformationId = 0x11;
constexpr std::uint64_t kMinAckDelayId = 0xff04de1b;

// Most parameters are one of three simple kinds; each is a row here.
struct IntegerRule {
    std::uint64_t id;
    std::uint64_t Parameters::* field;
    std::uint64_t minimum;
    std::uint64_t maximum;
};

constexpr std::array kIntegerRules{
    IntegerRule{0x01, &Parameters::max_idle_timeout_ms, 0, kMaxVarint},
    IntegerRule{0x03, &Parameters::max_udp_payload_size, 1200, kMaxVarint},
    IntegerRule{0x04, &Parameters::initial_max_data, 0, kMaxVarint},
    IntegerRule{0x05, &Parameters::initial_max_stream_data_bidi_local, 0, kMaxVarint},
    IntegerRule{0x06, &Parameters::initial_max_stream_data_bidi_remote, 0, kMaxVarint},
    IntegerRule{0x07, &Parameters::initial_max_stream_data_uni, 0, kMaxVarint},
    //= 9000-4.6-1
    IntegerRule{0x08, &Parameters::initial_max_streams_bidi, 0, kMaxStreamCount},
    IntegerRule{0x09, &Parameters::initial_max_streams_uni, 0, kMaxStreamCount},
    IntegerRule{0x0a, &Parameters::ack_delay_exponent, 0, 20},
    IntegerRule{0x0b, &Parameters::max_ack_delay_ms, 0, (1u << 14) - 1},
    //= 9000-18.2-8
    //= 9000-18.2-9
    IntegerRule{0x0e, &Parameters::active_connection_id_limit, 2, kMaxVarint},
    IntegerRule{0x20, &Parameters::max_datagram_frame_size, 0, kMaxVarint},
};

struct FlagRule {
    std::uint64_t id;
    bool Parameters::* field;
};

constexpr std::array kFlagRules{
    FlagRule{0x0c, &Parameters::disable_active_migration},
    FlagRule{0x1d, &Parameters::reset_stream_at},
    FlagRule{0x2ab2, &Parameters::grease_quic_bit},
};

struct ConnectionIdRule {
    std::uint64_t id;
    std::optional<ConnectionId> Parameters::* field;
};

constexpr std::array kConnectionIdRules{
    ConnectionIdRule{0x00, &Parameters::original_destination_connection_id},
    ConnectionIdRule{0x0f, &Parameters::initial_source_connection_id},
    ConnectionIdRule{0x10, &Parameters::retry_source_connection_id},
};

//= 9000-18.2-10
//= 9000-18.2-1
constexpr bool is_server_only(std::uint64_t id) {
    return id == 0x00 || id == kStatelessResetTokenId || id == kPreferredAddressId || id == 0x10;
}

// Null when no row has this identifier.
template <typename Rules>
constexpr const typename Rules::value_type* find_rule(const Rules& rules, std::uint64_t id) {
    for (const auto& rule : rules) {
        if (rule.id == id) return &rule;
    }
    return nullptr;
}

// --- encoding ---

bool encode_value(ByteWriter& writer, std::uint64_t id, ByteView value) {
    return encode_varint(writer, id) && encode_varint(writer, value.size()) &&
           writer.write_bytes(value);
}

bool encode_integers(ByteWriter& writer, const Parameters& parameters) {
    constexpr Parameters kDefaults{};
    for (const IntegerRule& rule : kIntegerRules) {
        const std::uint64_t value = parameters.*rule.field;
        if (value == kDefaults.*rule.field) continue;
        if (!encode_varint(writer, rule.id) || !encode_varint(writer, varint_length(value)) ||
            !encode_varint(writer, value)) {
            return false;
        }
    }
    return true;
}

bool write_address(ByteWriter& writer, const Address& address, std::size_t ip_length) {
    return writer.write_bytes(ByteView(address.ip).first(ip_length)) && writer.write(address.port);
}

bool encode_preferred_address(ByteWriter& writer, const PreferredAddress& preferred) {
    const ByteView id = preferred.connection_id.view();
    const std::size_t length = 4 + 2 + 16 + 2 + 1 + id.size() + kStatelessResetTokenLength;
    //= 9000-18.2-4
    const Address none;
    const Address& ipv4 = preferred.ipv4.family == Address::Family::kIpv4 ? preferred.ipv4 : none;
    const Address& ipv6 = preferred.ipv6.family == Address::Family::kIpv6 ? preferred.ipv6 : none;
    return encode_varint(writer, kPreferredAddressId) && encode_varint(writer, length) &&
           write_address(writer, ipv4, 4) && write_address(writer, ipv6, 16) &&
           writer.write(static_cast<std::uint8_t>(id.size())) && writer.write_bytes(id) &&
           writer.write_bytes(preferred.stateless_reset_token.bytes);
}

bool encode_server_only(ByteWriter& writer, const Parameters& parameters) {
    if (parameters.stateless_reset_token &&
        !encode_value(writer, kStatelessResetTokenId, parameters.stateless_reset_token->bytes)) {
        return false;
    }
    return !parameters.preferred_address ||
           encode_preferred_address(writer, *parameters.preferred_address);
}

bool encode_version_information(ByteWriter& writer, const VersionInformation& information) {
    const std::size_t length = 4 * (1 + information.available().size());
    if (!encode_varint(writer, kVersionInformationId) || !encode_varint(writer, length) ||
        !writer.write(information.chosen)) {
        return false;
    }
    return std::ranges::all_of(information.available(),
                               [&](std::uint32_t version) { return writer.write(version); });
}

bool encode_min_ack_delay(ByteWriter& writer, std::uint64_t microseconds) {
    return encode_varint(writer, kMinAckDelayId) &&
           encode_varint(writer, varint_length(microseconds)) &&
           encode_varint(writer, microseconds);
}

bool encode_connection_ids(ByteWriter& writer, const Parameters& parameters, Role sender) {
    for (const ConnectionIdRule& rule : kConnectionIdRules) {
        const auto& id = parameters.*rule.field;
        if (!id || (sender == Role::kClient && is_server_only(rule.id))) continue;
        if (!encode_value(writer, rule.id, id->view())) return false;
    }
    return true;
}

bool encode_flags(ByteWriter& writer, const Parameters& parameters) {
    for (const FlagRule& rule : kFlagRules) {
        if (parameters.*rule.field && !encode_value(writer, rule.id, {})) return false;
    }
    return true;
}

// --- decoding ---

// Which identifiers were seen. Ten thousand unknown parameters must not cost ten thousand squared
// comparisons, and must be ignored nonetheless, so behind the first 64 large identifiers no more
// are remembered.
class SeenIds {
public:
    // False when `id` was seen before.
    bool insert(std::uint64_t id) {
        if (id < 64) {
            const std::uint64_t bit = std::uint64_t{1} << id;
            const bool fresh = (small_ & bit) == 0;
            small_ |= bit;
            return fresh;
        }
        if (count_ == large_.size()) return true;
        const auto end = large_.begin() + static_cast<std::ptrdiff_t>(count_);
        if (std::find(large_.begin(), end, id) != end) return false;
        large_[count_++] = id;
        return true;
    }

private:
    std::uint64_t small_ = 0;
    std::array<std::uint64_t, 64> large_;
    std::size_t count_ = 0;
};

Reason decode_integer(const IntegerRule& rule, ByteView value, Parameters& parameters) {
    ByteReader reader(value);
    const auto integer = decode_varint(reader);
    if (!integer || !reader.empty()) return Reason::kBadLength;
    //= 9000-7.4-1
    if (*integer < rule.minimum || *integer > rule.maximum) return Reason::kBadParameterValue;
    parameters.*rule.field = *integer;
    return Reason::kNone;
}

Reason decode_connection_id(const ConnectionIdRule& rule, ByteView value, Parameters& parameters) {
    parameters.*rule.field = ConnectionId::from(value);
    return parameters.*rule.field ? Reason::kNone : Reason::kBadConnectionIdLength;
}

// All zero, port included, means that this family is not offered.
std::optional<Address> read_address(ByteReader& reader, Address::Family family,
                                    std::size_t length) {
    const auto ip = reader.read_bytes(length);
    const auto port = reader.read<std::uint16_t>();
    if (!ip || !port) return std::nullopt;
    Address address;
    std::memcpy(address.ip.data(), ip->data(), length);
    address.port = *port;
    if (address != Address{}) address.family = family;
    return address;
}

Reason decode_preferred_address(ByteView value, Parameters& parameters) {
    ByteReader reader(value);
    const auto ipv4 = read_address(reader, Address::Family::kIpv4, 4);
    const auto ipv6 = read_address(reader, Address::Family::kIpv6, 16);
    const auto id_length = reader.read<std::uint8_t>();
    if (!ipv4 || !ipv6 || !id_length) return Reason::kBadLength;
    //= 9000-18.2-6
    //= 9000-18.2-7
    if (*id_length == 0 || *id_length > kMaxConnectionIdLength) {
        return Reason::kBadConnectionIdLength;
    }
    const auto id = reader.read_bytes(*id_length);
    const auto token = StatelessResetToken::from(reader.rest());
    if (!id || !token) return Reason::kBadLength;
    parameters.preferred_address = PreferredAddress{*ipv4, *ipv6, *ConnectionId::from(*id), *token};
    return Reason::kNone;
}

//= 9368-4-3
//= 9368-4-4
//= 9368-4-5
//= 9368-4-6
Reason decode_version_information(ByteView value, Role sender, Parameters& parameters) {
    ByteReader reader(value);
    VersionInformation information;
    const auto chosen = reader.read<std::uint32_t>();
    if (!chosen || value.size() % 4 != 0) return Reason::kBadLength;
    if (*chosen == 0) return Reason::kBadParameterValue;
    information.chosen = *chosen;
    bool chosen_is_available = false;
    while (const auto version = reader.read<std::uint32_t>()) {
        if (*version == 0) return Reason::kBadParameterValue;
        chosen_is_available |= *version == *chosen;
        information.add_available(*version);
    }
    if (sender == Role::kClient && !chosen_is_available) return Reason::kBadParameterValue;
    parameters.version_information = information;
    return Reason::kNone;
}

Reason decode_min_ack_delay(ByteView value, Parameters& parameters) {
    ByteReader reader(value);
    parameters.min_ack_delay_us = decode_varint(reader);
    return parameters.min_ack_delay_us && reader.empty() ? Reason::kNone : Reason::kBadLength;
}

// What only all parameters together can tell.
Reason check_together(const Parameters& parameters) {
    //= 9000-18.2-5
    //= 9000-18.2-7
    if (parameters.preferred_address && parameters.initial_source_connection_id &&
        parameters.initial_source_connection_id->empty()) {
        return Reason::kForbiddenParameter;
    }
    if (parameters.min_ack_delay_us &&
        *parameters.min_ack_delay_us > parameters.max_ack_delay_ms * 1000) {
        return Reason::kBadParameterValue;
    }
    return Reason::kNone;
}

Reason decode_value(std::uint64_t id, ByteView value, Role sender, Parameters& parameters) {
    if (const auto* rule = find_rule(kIntegerRules, id)) {
        return decode_integer(*rule, value, parameters);
    }
    if (const auto* rule = find_rule(kConnectionIdRules, id)) {
        return decode_connection_id(*rule, value, parameters);
    }
    if (const auto* rule = find_rule(kFlagRules, id)) {
        //= 9287-3-1
        parameters.*rule->field = true;
        return value.empty() ? Reason::kNone : Reason::kBadLength;
    }
    if (id == kStatelessResetTokenId) {
        parameters.stateless_reset_token = StatelessResetToken::from(value);
        return parameters.stateless_reset_token ? Reason::kNone : Reason::kBadLength;
    }
    if (id == kPreferredAddressId) return decode_preferred_address(value, parameters);
    if (id == kVersionInformationId) return decode_version_information(value, sender, parameters);
    if (id == kMinAckDelayId) return decode_min_ack_delay(value, parameters);
    //= 9000-7.4.2-1
    return Reason::kNone;
}

// The next parameter, into `parameters`.
Reason decode_next(ByteReader& reader, Role sender, SeenIds& seen, Parameters& parameters) {
    const auto id = decode_varint(reader);
    const auto length = id ? decode_varint(reader) : std::nullopt;
    const auto value = length ? reader.read_bytes(*length) : std::nullopt;
    if (!value) return Reason::kTruncated;
    //= 9000-7.4-3
    if (!seen.insert(*id)) return Reason::kDuplicateParameter;
    //= 9000-18.2-11
    if (sender == Role::kClient && is_server_only(*id)) return Reason::kForbiddenParameter;
    return decode_value(*id, *value, sender, parameters);
}

}  // namespace

//= 9000-7.4-2
bool encode_transport_parameters(ByteWriter& writer, const TransportParameters& parameters,
                                 Role sender, const ReservedParameter* reserved) {
    const std::size_t start = writer.written();
    if (encode_connection_ids(writer, parameters, sender) && encode_integers(writer, parameters) &&
        encode_flags(writer, parameters) &&
        (!parameters.min_ack_delay_us ||
         encode_min_ack_delay(writer, *parameters.min_ack_delay_us)) &&
        (!parameters.version_information ||
         encode_version_information(writer, *parameters.version_information)) &&
        (sender == Role::kClient || encode_server_only(writer, parameters)) &&
        (reserved == nullptr || encode_value(writer, reserved->id, reserved->value))) {
        return true;
    }
    writer.rewind(start);
    return false;
}

TransportResult<TransportParameters> decode_transport_parameters(ByteView bytes, Role sender) {
    TransportParameters parameters;
    SeenIds seen;
    ByteReader reader(bytes);
    Reason reason = Reason::kNone;
    while (reason == Reason::kNone && !reader.empty()) {
        reason = decode_next(reader, sender, seen, parameters);
    }
    if (reason == Reason::kNone) reason = check_together(parameters);
    if (reason == Reason::kNone) return parameters;
    return std::unexpected(
        TransportError{.code = TransportErrorCode::kTransportParameterError, .reason = reason});
}

}  // namespace stoq::wire
