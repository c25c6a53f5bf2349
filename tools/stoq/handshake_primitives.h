// What the cryptography alone of a handshake costs on this machine, by the same library code that
// handshakes use.
#pragma once

#include <memory>
#include <string_view>

namespace stoq::tool {

// Microseconds of processor time, medians.
struct PrimitiveCosts {
    // A server's share of the key exchange.
    double exchange = 0;
    // Of a server: the key schedule (RFC 8446 section 7.1) with both Finished messages, the
    // transcript's hash, packet keys of all levels in both directions, and sealing and opening four
    // full packets each.
    double symmetric = 0;
    // Of what a CertificateVerify signs.
    double sign = 0;
    double verify = 0;  // the client's

    double of_server() const { return exchange + symmetric + sign; }
};

// Times the pieces one by one. Between the handshakes of a load and on their thread, each piece
// finds the caches and the clock of the processor as the handshakes leave them.
class PrimitiveTimer {
public:
    // `type` is a kind of key by OpenSSL's name, or P-256; `group` is X25519 or X25519MLKEM768.
    // Throws Failure.
    PrimitiveTimer(std::string_view type, std::string_view group);
    ~PrimitiveTimer();
    PrimitiveTimer(const PrimitiveTimer&) = delete;
    PrimitiveTimer& operator=(const PrimitiveTimer&) = delete;

    // The next piece, in turns.
    void time_next();
    // Throws Failure when there was no turn for each of them.
    PrimitiveCosts medians() const;

private:
    struct Pieces;
    std::unique_ptr<Pieces> pieces_;
};

}  // namespace stoq::tool
