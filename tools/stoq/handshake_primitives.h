// What the cryptography alone of a handshake costs on this machine, by the same library code that
// handshakes use.
#pragma once

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

// `type` is a kind of key by OpenSSL's name, or P-256; `group` is X25519 or X25519MLKEM768. One
// after the other, as handshakes do it, so that each finds the caches as the others leave them.
// Throws Failure.
PrimitiveCosts measure_primitives(std::string_view type, std::string_view group);

}  // namespace stoq::tool
