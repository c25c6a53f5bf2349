#include "falcon/classical.h"

#include <array>
#include <string_view>

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/x509.h>

namespace stoq::falcon {
namespace {

struct FreeContext {
    void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeContext>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeContext>;

constexpr std::uint8_t kUncompressed = 0x04;

// OpenSSL names P-256 "prime256v1" and P-521 "secp521r1".
bool is_on(const EVP_PKEY& key, const Curve& curve) {
    std::array<char, 32> name{};
    std::size_t size = 0;
    if (EVP_PKEY_get_group_name(&key, name.data(), name.size(), &size) != 1) return false;
    const std::string_view found(name.data(), size);
    const std::string_view wanted = curve.name;
    return found == wanted || (wanted == "P-256" && found == "prime256v1") ||
           (wanted == "P-521" && found == "secp521r1");
}

}  // namespace

ClassicalKey generate_classical(OSSL_LIB_CTX* library, const Curve& curve) {
    return ClassicalKey(EVP_PKEY_Q_keygen(library, nullptr, "EC", curve.name));
}

ClassicalKey classical_from_public(OSSL_LIB_CTX* library, const Curve& curve, ByteView point) {
    if (point.size() != curve.public_key_size || point[0] != kUncompressed) return nullptr;
    const KeyContext context(EVP_PKEY_CTX_new_from_name(library, "EC", nullptr));
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, const_cast<char*>(curve.name),
                                         0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                          const_cast<std::uint8_t*>(point.data()), point.size()),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY* key = nullptr;
    if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        return nullptr;
    }
    return ClassicalKey(key);
}

ClassicalKey classical_from_private(OSSL_LIB_CTX* library, const Curve& curve, ByteView der) {
    if (der.empty() || der.size() > curve.max_private_key_size) return nullptr;
    const unsigned char* at = der.data();
    ClassicalKey key(d2i_PrivateKey_ex(EVP_PKEY_EC, nullptr, &at, static_cast<long>(der.size()),
                                       library, nullptr));
    if (!key || at != der.data() + der.size() || !is_on(*key, curve)) return nullptr;
    return key;
}

std::vector<std::uint8_t> public_point(const EVP_PKEY& key) {
    std::vector<std::uint8_t> point(256);
    std::size_t size = 0;
    if (EVP_PKEY_get_octet_string_param(&key, OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size(),
                                        &size) != 1) {
        return {};
    }
    point.resize(size);
    return point;
}

SecretBytes private_der(const EVP_PKEY& key) {
    const int size = i2d_PrivateKey(&key, nullptr);
    SecretBytes der(size > 0 ? static_cast<std::size_t>(size) : 0);
    if (der.empty()) return der;
    unsigned char* at = der.writable().data();
    if (i2d_PrivateKey(&key, &at) != size) return {};
    return der;
}

std::optional<std::size_t> sign_classical(OSSL_LIB_CTX* library, const Curve& curve, EVP_PKEY& key,
                                          ByteView message, Bytes signature) {
    const DigestContext context(EVP_MD_CTX_new());
    std::size_t size = curve.max_signature_size;
    if (!context || signature.size() < size ||
        EVP_DigestSignInit_ex(context.get(), nullptr, curve.digest, library, nullptr, &key,
                              nullptr) != 1 ||
        EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) !=
            1) {
        return std::nullopt;
    }
    return size;
}

bool verify_classical(OSSL_LIB_CTX* library, const Curve& curve, EVP_PKEY& key, ByteView message,
                      ByteView signature) {
    const DigestContext context(EVP_MD_CTX_new());
    return context &&
           EVP_DigestVerifyInit_ex(context.get(), nullptr, curve.digest, library, nullptr, &key,
                                   nullptr) == 1 &&
           EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                            message.size()) == 1;
}

}  // namespace stoq::falcon
