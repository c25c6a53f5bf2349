// Address tokens: whom they let in, and for how long.
#include "endpoint/address_token.h"

#include <set>

#include <gtest/gtest.h>

namespace stoq::endpoint {
namespace {

using std::chrono::seconds;

constexpr Instant kStart{seconds(1000)};
constexpr Instant kExpiry = kStart + seconds(10);

std::array<std::uint8_t, 32> key(std::uint8_t fill) {
    std::array<std::uint8_t, 32> bytes{};
    bytes.fill(fill);
    return bytes;
}

ByteView bytes_of(const std::string& text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

AddressToken token_for(TokenKind kind, const Address& remote) {
    AddressToken token;
    token.kind = kind;
    token.version = 0x6b3343cf;
    token.remote = remote;
    token.expires = kExpiry;
    if (kind == TokenKind::kRetry) {
        const std::array<std::uint8_t, 20> longest{1, 2, 3};
        token.original_destination_id = *wire::ConnectionId::from(longest);
        token.retry_source_id = *wire::ConnectionId::from(ByteView(longest).first(8));
    }
    return token;
}

class AddressTokens : public testing::Test {
protected:
    const Address home_ = parse_address("192.0.2.7:4433");
    const Address other_port_ = parse_address("192.0.2.7:4434");
    const Address elsewhere_ = parse_address("192.0.2.8:4433");
    const Address home6_ = parse_address("[2001:db8::7]:4433");
    TokenSealer sealer_{key(7)};
    SeededRandom random_{1};
};

TEST_F(AddressTokens, OpenedTokenRemembersThePath) {
    AddressToken token = token_for(TokenKind::kNewToken, home_);
    EXPECT_FALSE(sealer_.open(bytes_of(sealer_.seal(token, random_)), home_, kStart)->path_memory);
    token.path_memory = {1'234'567, std::chrono::microseconds(4321)};
    const auto opened = sealer_.open(bytes_of(sealer_.seal(token, random_)), home_, kStart);
    ASSERT_TRUE(opened && opened->path_memory);
    EXPECT_EQ(opened->path_memory->congestion_window, 1'234'567u);
    EXPECT_EQ(opened->path_memory->round_trip, std::chrono::microseconds(4321));
}

TEST_F(AddressTokens, OpenedTokenHasWhatWasSealed) {
    for (const Address& remote : {home_, home6_}) {
        const AddressToken token = token_for(TokenKind::kRetry, remote);
        const auto opened = sealer_.open(bytes_of(sealer_.seal(token, random_)), remote, kStart);
        ASSERT_TRUE(opened);
        EXPECT_EQ(opened->kind, token.kind);
        EXPECT_EQ(opened->version, token.version);
        EXPECT_EQ(opened->remote.port, remote.port);
        EXPECT_EQ(opened->expires, kExpiry);
        EXPECT_EQ(opened->original_destination_id, token.original_destination_id);
        EXPECT_EQ(opened->retry_source_id, token.retry_source_id);
    }
}

//= test 9000-8.1.1-1
TEST_F(AddressTokens, KindIsTold) {
    for (const TokenKind kind : {TokenKind::kRetry, TokenKind::kNewToken}) {
        const std::string sealed = sealer_.seal(token_for(kind, home_), random_);
        ASSERT_TRUE(sealer_.open(bytes_of(sealed), home_, kStart));
        EXPECT_EQ(sealer_.open(bytes_of(sealed), home_, kStart)->kind, kind);
        EXPECT_EQ(TokenSealer::looks_like_retry_token(bytes_of(sealed)), kind == TokenKind::kRetry);
    }
}

//= test 9000-8.1.4-3
//= test 9000-8.1.4-4
//= test 9000-8.1.4-5
TEST_F(AddressTokens, OtherAddressIsRefusedAndOtherPortOnlyBehindRetry) {
    const std::string retry = sealer_.seal(token_for(TokenKind::kRetry, home_), random_);
    const std::string later = sealer_.seal(token_for(TokenKind::kNewToken, home_), random_);
    EXPECT_FALSE(sealer_.open(bytes_of(retry), elsewhere_, kStart));
    EXPECT_FALSE(sealer_.open(bytes_of(retry), other_port_, kStart));
    EXPECT_FALSE(sealer_.open(bytes_of(later), elsewhere_, kStart));
    EXPECT_TRUE(sealer_.open(bytes_of(later), other_port_, kStart));
    EXPECT_FALSE(sealer_.open(bytes_of(later), home6_, kStart));
}

//= test 9000-8.1.3-5
//= test 9000-8.1.4-6
TEST_F(AddressTokens, ExpiredTokenIsRefused) {
    const std::string sealed = sealer_.seal(token_for(TokenKind::kNewToken, home_), random_);
    EXPECT_TRUE(sealer_.open(bytes_of(sealed), home_, kExpiry - Duration(1)));
    EXPECT_FALSE(sealer_.open(bytes_of(sealed), home_, kExpiry));
}

//= test 9000-8.1.4-1
//= test 9000-8.1.4-2
TEST_F(AddressTokens, EveryChangedBitCutAndExtensionIsRefused) {
    const std::string sealed = sealer_.seal(token_for(TokenKind::kRetry, home_), random_);
    for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
        std::string changed = sealed;
        changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
        EXPECT_FALSE(sealer_.open(bytes_of(changed), home_, kStart)) << "bit " << bit;
    }
    for (std::size_t length = 0; length < sealed.size(); ++length) {
        EXPECT_FALSE(sealer_.open(bytes_of(sealed.substr(0, length)), home_, kStart)) << length;
    }
    EXPECT_FALSE(sealer_.open(bytes_of(sealed + '\0'), home_, kStart));
    EXPECT_FALSE(sealer_.open(bytes_of(sealed + std::string(2000, 'x')), home_, kStart));
}

TEST_F(AddressTokens, TokenOfAnotherKeyIsRefused) {
    TokenSealer other(key(8));
    const std::string sealed = other.seal(token_for(TokenKind::kRetry, home_), random_);
    EXPECT_FALSE(sealer_.open(bytes_of(sealed), home_, kStart));
}

//= test 9000-8.1.3-6
//= test 9000-8.1.3-7
TEST_F(AddressTokens, TokensOfEqualContentAreAllDifferent) {
    const AddressToken token = token_for(TokenKind::kNewToken, home_);
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) seen.insert(sealer_.seal(token, random_));
    EXPECT_EQ(seen.size(), 1000u);
    // The address does not appear in the clear.
    const std::string ip(reinterpret_cast<const char*>(home_.ip.data()), 4);
    for (const std::string& sealed : seen) EXPECT_EQ(sealed.find(ip), std::string::npos);
}

}  // namespace
}  // namespace stoq::endpoint
