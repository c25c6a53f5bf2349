#include "endpoint/admission.h"

namespace stoq::endpoint {
namespace {

class LimitsPolicy final : public AdmissionPolicy {
public:
    explicit LimitsPolicy(const EndpointSettings& settings)
        : max_connections_(settings.max_connections),
          max_half_open_(settings.max_half_open),
          retry_(settings.retry) {}

    Verdict decide(const InitialRequest& request) override {
        if (request.connections >= max_connections_) return Verdict::kRefuse;
        if (request.valid_token) return decide_with_token(*request.valid_token);
        //= 9000-8.1.2-2
        if (TokenSealer::looks_like_retry_token(request.token)) return Verdict::kInvalidToken;
        //= 9000-8.1.3-15
        if (wants_retry(request.half_open)) return Verdict::kRetry;
        return request.half_open >= max_half_open_ ? Verdict::kDropHalfOpen : Verdict::kAccept;
    }

private:
    Verdict decide_with_token(const AddressToken& token) const {
        const bool proved_now = token.kind == TokenKind::kRetry;
        return retry_ == RetryPolicy::kAlways && !proved_now ? Verdict::kRetry : Verdict::kAccept;
    }

    bool wants_retry(std::size_t half_open) const {
        switch (retry_) {
            case RetryPolicy::kNever: return false;
            case RetryPolicy::kUnderLoad: return half_open >= max_half_open_ / 2;
            case RetryPolicy::kAlways: return true;
        }
        return true;
    }

    std::size_t max_connections_;
    std::size_t max_half_open_;
    RetryPolicy retry_;
};

}  // namespace

std::unique_ptr<AdmissionPolicy> make_admission_policy(const EndpointSettings& settings) {
    return std::make_unique<LimitsPolicy>(settings);
}

}  // namespace stoq::endpoint
