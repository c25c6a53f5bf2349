// What becomes of a client's first Initial.
#include "endpoint/admission.h"

#include <gtest/gtest.h>

namespace stoq::endpoint {
namespace {

struct Case {
    const char* name;
    RetryPolicy retry;
    std::size_t half_open;
    std::size_t connections;
    std::optional<TokenKind> valid_token;
    std::uint8_t first_token_byte;  // 0: no token
    Verdict expected;
};

constexpr auto kRetryToken = static_cast<std::uint8_t>(TokenKind::kRetry);
constexpr auto kNewToken = static_cast<std::uint8_t>(TokenKind::kNewToken);

// Limits of these tests: 10 handshakes with unproved addresses, 100 connections.
const Case kCases[] = {
    {"Idle", RetryPolicy::kUnderLoad, 0, 0, {}, 0, Verdict::kAccept},
    {"BelowHalfOfTheLimit", RetryPolicy::kUnderLoad, 4, 0, {}, 0, Verdict::kAccept},
    {"HalfOfTheLimit", RetryPolicy::kUnderLoad, 5, 0, {}, 0, Verdict::kRetry},
    {"BeyondTheLimitRetryStillCostsNothing",
     RetryPolicy::kUnderLoad,
     10,
     0,
     {},
     0,
     Verdict::kRetry},
    {"BeyondTheLimitWithoutRetry", RetryPolicy::kNever, 10, 0, {}, 0, Verdict::kDropHalfOpen},
    {"AtTheLimitsBrinkWithoutRetry", RetryPolicy::kNever, 9, 0, {}, 0, Verdict::kAccept},
    {"ProvedAddressPassesTheLimit", RetryPolicy::kUnderLoad, 10, 0, TokenKind::kRetry, kRetryToken,
     Verdict::kAccept},
    {"OldTokenPassesTheLimit", RetryPolicy::kUnderLoad, 10, 0, TokenKind::kNewToken, kNewToken,
     Verdict::kAccept},
    {"AlwaysAsksAgainBehindAnOldToken", RetryPolicy::kAlways, 0, 0, TokenKind::kNewToken, kNewToken,
     Verdict::kRetry},
    {"AlwaysIsContentWithARetryToken", RetryPolicy::kAlways, 0, 0, TokenKind::kRetry, kRetryToken,
     Verdict::kAccept},
    {"WrongRetryToken", RetryPolicy::kUnderLoad, 0, 0, {}, kRetryToken, Verdict::kInvalidToken},
    {"UnknownTokenCountsAsNone", RetryPolicy::kUnderLoad, 0, 0, {}, 0xff, Verdict::kAccept},
    {"UnknownTokenUnderLoad", RetryPolicy::kUnderLoad, 5, 0, {}, 0xff, Verdict::kRetry},
    {"Full", RetryPolicy::kUnderLoad, 0, 100, {}, 0, Verdict::kRefuse},
    {"FullForProvedAddressesToo", RetryPolicy::kUnderLoad, 0, 100, TokenKind::kRetry, kRetryToken,
     Verdict::kRefuse},
};

class Admission : public testing::TestWithParam<Case> {};

//= test 9000-8.1.2-2
//= test 9000-8.1.3-15
TEST_P(Admission, Decides) {
    const Case& one = GetParam();
    EndpointSettings settings;
    settings.max_half_open = 10;
    settings.max_connections = 100;
    settings.retry = one.retry;
    InitialRequest request;
    request.half_open = one.half_open;
    request.connections = one.connections;
    if (one.first_token_byte != 0) request.token = {&one.first_token_byte, 1};
    if (one.valid_token) {
        request.valid_token.emplace();
        request.valid_token->kind = *one.valid_token;
    }
    EXPECT_EQ(make_admission_policy(settings)->decide(request), one.expected);
}

INSTANTIATE_TEST_SUITE_P(All, Admission, testing::ValuesIn(kCases),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace stoq::endpoint
