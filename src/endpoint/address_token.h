// Address tokens: proof that a client was reached at an address (RFC 9000 section 8.1).
//
// Sealed with a key of the endpoint, so nothing is kept for them, and nobody else can make or read
// one. Retry tokens bind the address with its port and live for seconds; NEW_TOKEN tokens bind the
// address without its port and live for hours.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "crypto/aead.h"
#include "stoq/path_memory.h"
#include "stoq/random.h"
#include "wire/connection_id.h"

namespace stoq::endpoint {

enum class TokenKind : std::uint8_t { kRetry = 0x52, kNewToken = 0x4e };

struct AddressToken {
    TokenKind kind = TokenKind::kRetry;
    // Of the connection that it came from: no other may use it (RFC 9369 section 5).
    std::uint32_t version = 0;
    Address remote;
    Instant expires;
    // NEW_TOKEN only: what the connection had learned of the path (RFC 9959).
    std::optional<PathMemory> path_memory;
    // Retry only: what the transport parameters have to name again.
    wire::ConnectionId original_destination_id;
    wire::ConnectionId retry_source_id;
};

class TokenSealer {
public:
    // `secret` survives restarts when tokens should.
    explicit TokenSealer(const std::array<std::uint8_t, 32>& secret);
    TokenSealer(TokenSealer&&) noexcept;
    TokenSealer& operator=(TokenSealer&&) noexcept;
    ~TokenSealer();

    std::string seal(const AddressToken& token, RandomSource& random);
    // The token, if it is ours, belongs to this address and has not expired.
    std::optional<AddressToken> open(ByteView bytes, const Address& remote, Instant now);

    // Whether `bytes` claim to be a Retry token of ours: a client that shows a wrong one can be
    // told so (RFC 9000 section 8.1.3), while any other unknown token counts as none.
    static bool looks_like_retry_token(ByteView bytes);

private:
    std::unique_ptr<crypto::Aead> seal_;
    std::unique_ptr<crypto::Aead> open_;
};

}  // namespace stoq::endpoint
