#include "handshake_primitives.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <vector>

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "crypto/hkdf.h"
#include "exit_code.h"
#include "protection/initial_keys.h"
#include "protection/open.h"
#include "protection/seal.h"
#include "tls/library.h"
#include "tls/openssl_handles.h"

namespace stoq::tool {
namespace {

using Bytes = std::vector<unsigned char>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, tls::Freeing<EVP_PKEY_CTX_free>>;
using Kdf = std::unique_ptr<EVP_KDF, tls::Freeing<EVP_KDF_free>>;
using KdfContext = std::unique_ptr<EVP_KDF_CTX, tls::Freeing<EVP_KDF_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, tls::Freeing<EVP_MD_CTX_free>>;

// A CertificateVerify signs 64 spaces, a label with its zero, and a hash (RFC 8446 section 4.4.3).
constexpr std::size_t kSigned = 64 + 34 + 32;

void require(bool worked, std::string_view what) {
    if (!worked) throw Failure(ExitCode::kOther, fmt::format("cannot measure {}", what));
}

double thread_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <typename Call>
double microseconds_of(const Call& call) {
    const double begin = thread_seconds();
    call();
    return 1e6 * (thread_seconds() - begin);
}

double median(std::vector<double>& samples) {
    require(!samples.empty(), "so few handshakes");
    const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
    std::ranges::nth_element(samples, middle);
    return *middle;
}

tls::KeyHandle generate(OSSL_LIB_CTX* library, std::string_view type) {
    const bool p256 = type == "P-256";
    const std::string name = p256 ? "EC" : std::string(type);
    const KeyContext context(EVP_PKEY_CTX_new_from_name(library, name.c_str(), nullptr));
    EVP_PKEY* key = nullptr;
    const bool worked = context && EVP_PKEY_keygen_init(context.get()) == 1 &&
                        (!p256 || EVP_PKEY_CTX_set_group_name(context.get(), "P-256") == 1) &&
                        EVP_PKEY_generate(context.get(), &key) == 1;
    require(worked, type);
    return tls::KeyHandle(key);
}

Bytes encoded_public(EVP_PKEY* key) {
    unsigned char* bytes = nullptr;
    const std::size_t length = EVP_PKEY_get1_encoded_public_key(key, &bytes);
    require(length > 0, "a public key");
    Bytes copy(bytes, bytes + length);
    OPENSSL_free(bytes);
    return copy;
}

// As TLS does: parameters from the server's group, the bytes from the client's key share.
tls::KeyHandle with_public(EVP_PKEY* like, const Bytes& bytes) {
    tls::KeyHandle key(EVP_PKEY_new());
    require(key && EVP_PKEY_copy_parameters(key.get(), like) == 1 &&
                EVP_PKEY_set1_encoded_public_key(key.get(), bytes.data(), bytes.size()) == 1,
            "a key share");
    return key;
}

void agree(OSSL_LIB_CTX* library, EVP_PKEY* own, EVP_PKEY* peer) {
    const KeyContext context(EVP_PKEY_CTX_new_from_pkey(library, own, nullptr));
    Bytes secret(64);
    std::size_t length = secret.size();
    require(context && EVP_PKEY_derive_init(context.get()) == 1 &&
                EVP_PKEY_derive_set_peer(context.get(), peer) == 1 &&
                EVP_PKEY_derive(context.get(), secret.data(), &length) == 1,
            "a key agreement");
}

void encapsulate(OSSL_LIB_CTX* library, EVP_PKEY* peer) {
    const KeyContext context(EVP_PKEY_CTX_new_from_pkey(library, peer, nullptr));
    std::size_t wrapped = 0;
    std::size_t secret = 0;
    require(context && EVP_PKEY_encapsulate_init(context.get(), nullptr) == 1 &&
                EVP_PKEY_encapsulate(context.get(), nullptr, &wrapped, nullptr, &secret) == 1,
            "an encapsulation");
    Bytes ciphertext(wrapped);
    Bytes key(secret);
    require(
        EVP_PKEY_encapsulate(context.get(), ciphertext.data(), &wrapped, key.data(), &secret) == 1,
        "an encapsulation");
}

constexpr std::size_t kPackets = 4;
constexpr std::size_t kPacketSize = 1200;
constexpr std::size_t kTranscript = 5000;

// What libssl derives by labels for a full handshake: from the early, the handshake and the master
// secret; keys and IVs of traffic secrets, although QUIC derives its own from the secrets (RFC 9001
// section 5.1); and the keys of both Finished.
constexpr std::array<std::string_view, 15> kDerived{
    "derived",      "derived",    "c hs traffic", "s hs traffic", "c ap traffic",
    "s ap traffic", "exp master", "finished",     "finished",     "key",
    "iv",           "key",        "iv",           "key",          "iv"};

// One call of the key derivation that libssl uses, in the way in which it does.
void derive(OSSL_LIB_CTX* library, int mode, std::string_view label, Bytes& secret, Bytes& data) {
    const Kdf kdf(EVP_KDF_fetch(library, OSSL_KDF_NAME_TLS1_3_KDF, nullptr));
    const KdfContext context(EVP_KDF_CTX_new(kdf.get()));
    std::string digest = "SHA256";
    std::string prefix = "tls13 ";
    std::string name(label);
    const std::array parameters{
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), digest.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret.data(), secret.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, prefix.data(), prefix.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, name.data(), name.size()),
        OSSL_PARAM_construct_octet_string(
            mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY ? OSSL_KDF_PARAM_DATA : OSSL_KDF_PARAM_SALT,
            data.data(), data.size()),
        OSSL_PARAM_construct_end()};
    Bytes out(32);
    require(
        context && EVP_KDF_derive(context.get(), out.data(), out.size(), parameters.data()) == 1,
        "a key derivation");
}

void derive_secrets(OSSL_LIB_CTX* library, const Bytes& transcript) {
    Bytes secret(32);
    Bytes hash(32);
    // Early, handshake and master secret.
    for (int i = 0; i < 3; ++i) {
        derive(library, EVP_KDF_HKDF_MODE_EXTRACT_ONLY, "derived", secret, hash);
    }
    for (const std::string_view label : kDerived) {
        derive(library, EVP_KDF_HKDF_MODE_EXPAND_ONLY, label, secret, hash);
    }
    // The transcript, and the codes of both Finished messages.
    using crypto::HashAlgorithm;
    (void)crypto::hkdf_extract(HashAlgorithm::kSha256, secret, transcript);
    for (int i = 0; i < 2; ++i) {
        std::size_t length = hash.size();
        require(EVP_Q_mac(library, "HMAC", nullptr, "SHA256", nullptr, secret.data(), secret.size(),
                          hash.data(), hash.size(), hash.data(), hash.size(), &length) != nullptr,
                "a message authentication code");
    }
}

void protect_packets(const crypto::Secret& secret) {
    using namespace protection;
    constexpr std::size_t kHeader = 23;
    std::vector<std::uint8_t> bytes(kPackets * kPacketSize, 0x40);
    std::vector<PacketToSeal> to_seal(kPackets);
    std::vector<PacketToOpen> to_open(kPackets);
    for (std::size_t i = 0; i < kPackets; ++i) {
        std::uint8_t* const packet = bytes.data() + i * kPacketSize;
        packet[0] = 0x41;  // short header, packet number of two bytes
        packet[kHeader - 2] = 0;
        packet[kHeader - 1] = static_cast<std::uint8_t>(i);
        to_seal[i] = {packet, kHeader - 2, kPacketSize - crypto::kTagSize, 2, PacketNumber(i)};
        to_open[i].packet = {packet, kPacketSize};
        to_open[i].packet_number_offset = kHeader - 2;
        to_open[i].type = wire::PacketType::kOneRtt;
    }
    PacketKeys sealing = make_packet_keys({}, crypto::Direction::kSeal, secret);
    PacketKeys opening = make_packet_keys({}, crypto::Direction::kOpen, secret);
    seal(sealing, to_seal);
    remove_header_protection(*opening.header, to_open);
    expand_packet_numbers(to_open, PacketNumber(0));
    open(opening.payload, to_open);
    require(to_open.back().opened.has_value(), "packet protection");
}

// The server's share of a key exchange.
class Exchange {
public:
    Exchange(OSSL_LIB_CTX* library, std::string_view group)
        : library_(library),
          group_(group),
          client_(generate(library, group)),
          share_(encoded_public(client_.get())) {}

    // X25519: a fresh key and the agreement. With ML-KEM: encapsulation to the client's key.
    void operator()() const {
        if (group_ != "X25519") {
            const tls::KeyHandle peer = with_public(client_.get(), share_);
            return encapsulate(library_, peer.get());
        }
        const tls::KeyHandle own = generate(library_, group_);
        const tls::KeyHandle peer = with_public(own.get(), share_);
        (void)encoded_public(own.get());
        agree(library_, own.get(), peer.get());
    }

private:
    OSSL_LIB_CTX* library_;
    std::string_view group_;
    tls::KeyHandle client_;
    Bytes share_;
};

class Signature {
public:
    Signature(OSSL_LIB_CTX* library, std::string_view type)
        : library_(library),
          digest_(type == "P-256" ? "SHA256" : nullptr),
          key_(generate(library, type)),
          signature_(static_cast<std::size_t>(EVP_PKEY_get_size(key_.get()))) {}

    void sign() {
        const DigestContext context(EVP_MD_CTX_new());
        length_ = signature_.size();
        require(EVP_DigestSignInit_ex(context.get(), nullptr, digest_, library_, nullptr,
                                      key_.get(), nullptr) == 1 &&
                    EVP_DigestSign(context.get(), signature_.data(), &length_, message_.data(),
                                   message_.size()) == 1,
                "a signature");
    }
    // What sign() has made.
    void verify() const {
        const DigestContext context(EVP_MD_CTX_new());
        require(EVP_DigestVerifyInit_ex(context.get(), nullptr, digest_, library_, nullptr,
                                        key_.get(), nullptr) == 1 &&
                    EVP_DigestVerify(context.get(), signature_.data(), length_, message_.data(),
                                     message_.size()) == 1,
                "a verification");
    }

private:
    OSSL_LIB_CTX* library_;
    const char* digest_;
    tls::KeyHandle key_;
    Bytes message_ = Bytes(kSigned, 0x20);
    Bytes signature_;
    std::size_t length_ = 0;
};

void run_symmetric(OSSL_LIB_CTX* library, const Bytes& transcript) {
    const crypto::Secret secret = crypto::Secret::of_size(32);
    const std::array<std::uint8_t, 8> id{1};
    derive_secrets(library, transcript);
    (void)protection::derive_initial_secrets(id);
    // Initial and Handshake keys; those of 1-RTT packets are made with the packets.
    for (int level = 0; level < 2; ++level) {
        (void)protection::make_packet_keys({}, crypto::Direction::kSeal, secret);
        (void)protection::make_packet_keys({}, crypto::Direction::kOpen, secret);
    }
    protect_packets(secret);
}

}  // namespace

struct PrimitiveTimer::Pieces {
    Pieces(std::string_view type, std::string_view group)
        : exchange(library.get(), group), signature(library.get(), type) {
        require(library.is_usable(), type);
        signature.sign();  // for the verification that comes first
    }

    tls::Library library;
    Exchange exchange;
    Signature signature;
    Bytes transcript = Bytes(kTranscript, 1);
    std::array<std::vector<double>, 4> samples;
    std::size_t next = 0;
};

PrimitiveTimer::PrimitiveTimer(std::string_view type, std::string_view group)
    : pieces_(std::make_unique<Pieces>(type, group)) {}
PrimitiveTimer::~PrimitiveTimer() = default;

void PrimitiveTimer::time_next() {
    Pieces& pieces = *pieces_;
    const std::size_t piece = pieces.next++ % pieces.samples.size();
    pieces.samples[piece].push_back(microseconds_of([&] {
        switch (piece) {
            case 0: return pieces.exchange();
            case 1: return run_symmetric(pieces.library.get(), pieces.transcript);
            case 2: return pieces.signature.verify();
            default: return pieces.signature.sign();
        }
    }));
}

PrimitiveCosts PrimitiveTimer::medians() const {
    auto samples = pieces_->samples;
    return {.exchange = median(samples[0]),
            .symmetric = median(samples[1]),
            .sign = median(samples[3]),
            .verify = median(samples[2])};
}

}  // namespace stoq::tool
