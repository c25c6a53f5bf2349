#include "tls/ticket.h"

#include <gtest/gtest.h>

#include "tls/session.h"

namespace stoq::tls {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes copy(ByteView view) {
    return {view.begin(), view.end()};
}

TEST(Ticket, UnpacksWhatWasPacked) {
    const Bytes session = {1, 2, 3};
    const Bytes parameters = {9, 8};
    Ticket ticket{{}, session, parameters};
    ticket.binding.fill(0x5a);
    const Bytes packed = pack(ticket);
    const auto unpacked = unpack(packed);
    ASSERT_TRUE(unpacked);
    EXPECT_EQ(unpacked->binding, ticket.binding);
    EXPECT_EQ(copy(unpacked->session), session);
    EXPECT_EQ(copy(unpacked->transport_parameters), parameters);
    EXPECT_EQ(copy(remembered_transport_parameters(packed).value()), parameters);
}

TEST(Ticket, RefusesEveryTruncationThatCutsTheSession) {
    const Bytes session(40, 7);
    const Bytes packed = pack({{}, session, {}});
    for (std::size_t length = 0; length < packed.size(); ++length) {
        EXPECT_FALSE(unpack(ByteView(packed).first(length))) << length;
    }
}

TEST(Ticket, RefusesAnotherFormat) {
    Bytes packed = pack({});
    packed[3] ^= 1;
    EXPECT_FALSE(unpack(packed));
    EXPECT_FALSE(remembered_transport_parameters(packed));
}

TEST(Ticket, RefusesASessionLengthBeyondItsEnd) {
    Bytes packed = pack({});
    packed[4 + 32] = 0xff;
    EXPECT_FALSE(unpack(packed));
}

}  // namespace
}  // namespace stoq::tls
