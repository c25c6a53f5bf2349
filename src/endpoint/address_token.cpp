#include "endpoint/address_token.h"

#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "crypto/hkdf.h"
#include "crypto/secret.h"

namespace stoq::endpoint {
namespace {

// kind | nonce | sealed { version | expiry | family | port | address | congestion window | round
// trip | two connection IDs } | tag
constexpr std::size_t kKindLength = 1;
constexpr std::size_t kPlaintextOffset = kKindLength + crypto::kNonceSize;
constexpr std::size_t kMaxPlaintext =
    4 + 8 + 1 + 2 + 16 + 8 + 8 + 2 * (1 + wire::kMaxConnectionIdLength);
constexpr auto kSuite = crypto::CipherSuite::kAes256GcmSha384;

bool write_id(ByteWriter& writer, const wire::ConnectionId& id) {
    return writer.write(static_cast<std::uint8_t>(id.length())) && writer.write_bytes(id.view());
}

std::optional<wire::ConnectionId> read_id(ByteReader& reader) {
    const auto length = reader.read<std::uint8_t>();
    if (!length) return std::nullopt;
    const auto bytes = reader.read_bytes(*length);
    if (!bytes) return std::nullopt;
    return wire::ConnectionId::from(*bytes);
}

std::optional<AddressToken> decode(ByteView plaintext, TokenKind kind) {
    ByteReader reader(plaintext);
    AddressToken token;
    token.kind = kind;
    const auto version = reader.read<std::uint32_t>();
    const auto expires = reader.read<std::uint64_t>();
    const auto family = reader.read<std::uint8_t>();
    const auto port = reader.read<std::uint16_t>();
    const auto ip = reader.read_bytes(token.remote.ip.size());
    if (!version || !expires || !family || !port || !ip) return std::nullopt;
    token.version = *version;
    token.expires = Instant(Duration(static_cast<std::int64_t>(*expires)));
    token.remote.family = static_cast<Address::Family>(*family);
    token.remote.port = *port;
    std::copy(ip->begin(), ip->end(), token.remote.ip.begin());
    const auto window = reader.read<std::uint64_t>();
    const auto round_trip = reader.read<std::uint64_t>();
    if (!window || !round_trip) return std::nullopt;
    if (*window > 0) {
        token.path_memory = {*window, Duration(static_cast<std::int64_t>(*round_trip))};
    }
    const auto original = read_id(reader);
    const auto retry = read_id(reader);
    if (!original || !retry) return std::nullopt;
    token.original_destination_id = *original;
    token.retry_source_id = *retry;
    return token;
}

bool belongs_to(const AddressToken& token, const Address& remote) {
    const bool same_ip = token.remote.family == remote.family && token.remote.ip == remote.ip;
    //= 9000-8.1.4-3
    //= 9000-8.1.4-4
    return same_ip && (token.kind == TokenKind::kNewToken || token.remote.port == remote.port);
}

}  // namespace

TokenSealer::TokenSealer(const std::array<std::uint8_t, 32>& secret) {
    const crypto::Secret key(secret);
    seal_ = crypto::make_aead(kSuite, crypto::Direction::kSeal, key.view());
    open_ = crypto::make_aead(kSuite, crypto::Direction::kOpen, key.view());
}

TokenSealer::TokenSealer(TokenSealer&&) noexcept = default;
TokenSealer& TokenSealer::operator=(TokenSealer&&) noexcept = default;
TokenSealer::~TokenSealer() = default;

std::string TokenSealer::seal(const AddressToken& token, RandomSource& random) {
    std::array<std::uint8_t, kPlaintextOffset + kMaxPlaintext + crypto::kTagSize> bytes{};
    //= 9000-8.1.1-1
    bytes[0] = static_cast<std::uint8_t>(token.kind);
    const Bytes nonce = Bytes(bytes).subspan(kKindLength, crypto::kNonceSize);
    //= 9000-8.1.3-7
    random.fill(nonce);
    ByteWriter writer(Bytes(bytes).subspan(kPlaintextOffset, kMaxPlaintext));
    const auto expires = static_cast<std::uint64_t>(token.expires.time_since_epoch().count());
    const PathMemory memory = token.path_memory.value_or(PathMemory{});
    const bool fits = writer.write(token.version) && writer.write(expires) &&
                      writer.write(static_cast<std::uint8_t>(token.remote.family)) &&
                      writer.write(token.remote.port) && writer.write_bytes(token.remote.ip) &&
                      writer.write(memory.congestion_window) &&
                      writer.write(static_cast<std::uint64_t>(memory.round_trip.count())) &&
                      write_id(writer, token.original_destination_id) &&
                      write_id(writer, token.retry_source_id);
    STOQ_CHECK(fits);
    crypto::SealRequest request{.associated_data = ByteView(bytes).first(kKindLength),
                                .plaintext = writer.written_bytes(),
                                .output = bytes.data() + kPlaintextOffset,
                                .nonce = {}};
    std::copy(nonce.begin(), nonce.end(), request.nonce.begin());
    //= 9000-8.1.4-1
    //= 9000-8.1.4-2
    //= 9000-8.1.3-6
    seal_->seal({&request, 1});
    const std::size_t length = kPlaintextOffset + writer.written() + crypto::kTagSize;
    return {reinterpret_cast<const char*>(bytes.data()), length};
}

std::optional<AddressToken> TokenSealer::open(ByteView bytes, const Address& remote, Instant now) {
    constexpr std::size_t kLongest = kPlaintextOffset + kMaxPlaintext + crypto::kTagSize;
    if (bytes.size() < kPlaintextOffset + crypto::kTagSize || bytes.size() > kLongest) {
        return std::nullopt;
    }
    const auto kind = static_cast<TokenKind>(bytes[0]);
    if (kind != TokenKind::kRetry && kind != TokenKind::kNewToken) return std::nullopt;
    std::array<std::uint8_t, kLongest> copy{};
    std::copy(bytes.begin(), bytes.end(), copy.begin());
    const Bytes sealed = Bytes(copy).subspan(kPlaintextOffset, bytes.size() - kPlaintextOffset);
    crypto::OpenRequest request{.associated_data = bytes.first(kKindLength),
                                .ciphertext = sealed,
                                .nonce = {},
                                .authentic = false};
    std::copy_n(copy.begin() + kKindLength, crypto::kNonceSize, request.nonce.begin());
    open_->open({&request, 1});
    if (!request.authentic) return std::nullopt;
    const auto token = decode(sealed.first(sealed.size() - crypto::kTagSize), kind);
    //= 9000-8.1.3-5
    //= 9000-8.1.4-5
    //= 9000-8.1.4-6
    if (!token || !belongs_to(*token, remote) || now >= token->expires) return std::nullopt;
    return token;
}

bool TokenSealer::looks_like_retry_token(ByteView bytes) {
    return !bytes.empty() && bytes[0] == static_cast<std::uint8_t>(TokenKind::kRetry);
}

}  // namespace stoq::endpoint
