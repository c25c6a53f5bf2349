#include "falcon/key.h"

#include <algorithm>
#include <array>

#include "falcon/scheme.h"

namespace stoq::falcon {
namespace {

void write_length(Bytes bytes, std::size_t length) {
    for (std::size_t i = 0; i < kLengthSize; ++i) {
        bytes[i] = static_cast<std::uint8_t>(length >> (8 * (kLengthSize - 1 - i)));
    }
}

// Takes a length and as many bytes from the front. Nothing is taken when they are not there.
std::optional<ByteView> take_prefixed(ByteView& bytes) {
    if (bytes.size() < kLengthSize) return std::nullopt;
    std::size_t length = 0;
    for (std::size_t i = 0; i < kLengthSize; ++i) length = length << 8 | bytes[i];
    if (length > bytes.size() - kLengthSize) return std::nullopt;
    const ByteView taken = bytes.subspan(kLengthSize, length);
    bytes = bytes.subspan(kLengthSize + length);
    return taken;
}

}  // namespace

std::shared_ptr<Key> Key::generate(const Algorithm& algorithm, OSSL_LIB_CTX* library) {
    const Scheme& scheme = *algorithm.scheme;
    auto key = std::make_shared<Key>(algorithm, library);
    std::vector<std::uint8_t> falcon_public(scheme.public_key_size);
    key->secret_ = SecretBytes(scheme.secret_key_size);
    if (algorithm.curve) {
        key->classical_ = generate_classical(library, *algorithm.curve);
        if (!key->classical_) return nullptr;
    }
    if (!generate_key(scheme, falcon_public, key->secret_.writable()) ||
        !key->set_public(falcon_public)) {
        return nullptr;
    }
    return key;
}

std::shared_ptr<Key> Key::from_public(const Algorithm& algorithm, OSSL_LIB_CTX* library,
                                      ByteView bytes) {
    if (bytes.size() != public_key_size(algorithm)) return nullptr;
    auto key = std::make_shared<Key>(algorithm, library);
    ByteView falcon_public = bytes;
    if (algorithm.curve) {
        const auto point = take_prefixed(falcon_public);
        if (!point) return nullptr;
        key->classical_ = classical_from_public(library, *algorithm.curve, *point);
        if (!key->classical_) return nullptr;
    }
    if (!is_public_key(*algorithm.scheme, falcon_public)) return nullptr;
    key->public_.assign(bytes.begin(), bytes.end());
    return key;
}

std::shared_ptr<Key> Key::from_private(const Algorithm& algorithm, OSSL_LIB_CTX* library,
                                       ByteView bytes) {
    const Scheme& scheme = *algorithm.scheme;
    auto key = std::make_shared<Key>(algorithm, library);
    if (algorithm.curve) {
        const auto der = take_prefixed(bytes);
        if (!der) return nullptr;
        key->classical_ = classical_from_private(library, *algorithm.curve, *der);
        if (!key->classical_) return nullptr;
    }
    if (bytes.size() != scheme.secret_key_size + scheme.public_key_size) return nullptr;
    if (!is_secret_key(scheme, bytes.first(scheme.secret_key_size))) return nullptr;
    key->secret_ = SecretBytes(scheme.secret_key_size);
    if (key->secret_.empty()) return nullptr;
    std::copy_n(bytes.begin(), scheme.secret_key_size, key->secret_.writable().begin());
    const ByteView falcon_public = bytes.last(scheme.public_key_size);
    if (!is_public_key(scheme, falcon_public) || !key->set_public(falcon_public)) return nullptr;
    return key;
}

// The whole public key, from Falcon's and that of the classical private key.
bool Key::set_public(ByteView falcon_public) {
    if (const Curve* curve = algorithm_->curve) {
        const std::vector<std::uint8_t> point = public_point(*classical_);
        if (point.size() != curve->public_key_size) return false;
        public_.resize(kLengthSize);
        write_length(public_, point.size());
        public_.insert(public_.end(), point.begin(), point.end());
    }
    public_.insert(public_.end(), falcon_public.begin(), falcon_public.end());
    return public_.size() == public_key_size(*algorithm_);
}

ByteView Key::falcon_public() const {
    return ByteView(public_).last(algorithm_->scheme->public_key_size);
}

SecretBytes Key::private_bytes() const {
    if (!has_private() || !has_public()) return {};
    const SecretBytes der = classical_ ? private_der(*classical_) : SecretBytes();
    if (classical_ && der.empty()) return {};
    const std::size_t prefix = classical_ ? kLengthSize + der.size() : 0;
    SecretBytes bytes(prefix + secret_.size() + falcon_public().size());
    if (bytes.empty()) return {};
    Bytes out = bytes.writable();
    if (classical_) {
        write_length(out, der.size());
        std::ranges::copy(der.view(), out.begin() + kLengthSize);
    }
    std::ranges::copy(secret_.view(), out.subspan(prefix).begin());
    std::ranges::copy(falcon_public(), out.last(falcon_public().size()).begin());
    return bytes;
}

std::optional<std::size_t> Key::sign(ByteView message, Bytes signature) const {
    if (!has_private() || signature.size() < max_signature_size(*algorithm_)) return std::nullopt;
    std::size_t used = 0;
    if (const Curve* curve = algorithm_->curve) {
        const auto size =
            sign_classical(library_, *curve, *classical_, message, signature.subspan(kLengthSize));
        if (!size) return std::nullopt;
        write_length(signature, *size);
        used = kLengthSize + *size;
    }
    const auto size =
        falcon::sign(*algorithm_->scheme, secret_.view(), message, signature.subspan(used));
    if (!size) return std::nullopt;
    return used + *size;
}

bool Key::verify(ByteView message, ByteView signature) const {
    if (!has_public() || signature.size() > max_signature_size(*algorithm_)) return false;
    if (const Curve* curve = algorithm_->curve) {
        const auto classical = take_prefixed(signature);
        if (!classical || !verify_classical(library_, *curve, *classical_, message, *classical)) {
            return false;
        }
    }
    return falcon::verify(*algorithm_->scheme, falcon_public(), message, signature);
}

bool Key::is_consistent() const {
    static constexpr std::array<std::uint8_t, 16> kMessage = {'p', 'a', 'i', 'r'};
    std::vector<std::uint8_t> signature(max_signature_size(*algorithm_));
    const auto size = sign(kMessage, signature);
    return size && verify(kMessage, ByteView(signature).first(*size));
}

}  // namespace stoq::falcon
