// Admission: what becomes of a client's first Initial, before any asymmetric cryptography.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "endpoint/address_token.h"
#include "stoq/settings.h"
#include "stoq/types.h"

namespace stoq::endpoint {

struct InitialRequest {
    Address remote;
    ByteView token;  // as it came
    // The token opened as one of ours, for this address, in time.
    std::optional<AddressToken> valid_token;
    std::size_t half_open = 0;    // handshakes in progress with unproved addresses
    std::size_t connections = 0;  // of the whole endpoint
};

enum class Verdict : std::uint8_t {
    kAccept,
    kRetry,         // prove your address first
    kInvalidToken,  // close with INVALID_TOKEN
    kRefuse,        // close with CONNECTION_REFUSED
    kDropHalfOpen,  // say nothing
};

class AdmissionPolicy {
public:
    virtual ~AdmissionPolicy() = default;
    virtual Verdict decide(const InitialRequest& request) = 0;
};

// Limits and Retry as EndpointSettings says.
std::unique_ptr<AdmissionPolicy> make_admission_policy(const EndpointSettings& settings);

}  // namespace stoq::endpoint
