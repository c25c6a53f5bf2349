#include "falcon/der.h"

#include <algorithm>
#include <array>

namespace stoq::falcon {
namespace {

constexpr std::uint8_t kBitString = 0x03;
constexpr std::uint8_t kOctetString = 0x04;
constexpr std::uint8_t kSequence = 0x30;
constexpr std::uint8_t kNoUnusedBits = 0;
// INTEGER 0, OneAsymmetricKey's version 1.
constexpr std::array<std::uint8_t, 3> kVersion = {0x02, 0x01, 0x00};

std::size_t header_size(std::size_t length) {
    return length < 0x80 ? 2 : length < 0x100 ? 3 : 4;
}

// Lengths are below kMaxKeyDer.
void append_header(std::vector<std::uint8_t>& der, std::uint8_t tag, std::size_t length) {
    der.push_back(tag);
    const auto low = static_cast<std::uint8_t>(length);
    switch (header_size(length)) {
        case 2: der.push_back(low); return;
        case 3: der.insert(der.end(), {0x81, low}); return;
        default: der.insert(der.end(), {0x82, static_cast<std::uint8_t>(length >> 8), low});
    }
}

std::size_t whole_size(std::size_t length) {
    return header_size(length) + length;
}

// Takes an element with this tag from the front, and returns its contents.
std::optional<ByteView> take(ByteView& der, std::uint8_t tag) {
    if (der.size() < 2 || der[0] != tag) return std::nullopt;
    std::size_t length = der[1];
    std::size_t header = 2;
    if (length >= 0x80) {
        const std::size_t octets = length - 0x80;
        if (octets == 0 || octets > 2 || der.size() < 2 + octets) return std::nullopt;
        length = octets == 1 ? der[2] : static_cast<std::size_t>(der[2]) << 8 | der[3];
        header += octets;
    }
    if (header != header_size(length) || length > der.size() - header) return std::nullopt;
    const ByteView contents = der.subspan(header, length);
    der = der.subspan(header + length);
    return contents;
}

bool take_exactly(ByteView& der, ByteView expected) {
    if (der.size() < expected.size() || !std::ranges::equal(der.first(expected.size()), expected)) {
        return false;
    }
    der = der.subspan(expected.size());
    return true;
}

}  // namespace

std::vector<std::uint8_t> encode_public_key_info(const Algorithm& algorithm, ByteView public_key) {
    const auto identifier = algorithm_identifier(algorithm);
    std::vector<std::uint8_t> der;
    append_header(der, kSequence, identifier.size() + whole_size(1 + public_key.size()));
    der.insert(der.end(), identifier.begin(), identifier.end());
    append_header(der, kBitString, 1 + public_key.size());
    der.push_back(kNoUnusedBits);
    der.insert(der.end(), public_key.begin(), public_key.end());
    return der;
}

SecretBytes encode_private_key_info(const Algorithm& algorithm, ByteView private_key) {
    const auto identifier = algorithm_identifier(algorithm);
    const std::size_t octets = whole_size(private_key.size());
    std::vector<std::uint8_t> front;  // everything but the key
    append_header(front, kSequence, kVersion.size() + identifier.size() + whole_size(octets));
    front.insert(front.end(), kVersion.begin(), kVersion.end());
    front.insert(front.end(), identifier.begin(), identifier.end());
    append_header(front, kOctetString, octets);
    append_header(front, kOctetString, private_key.size());
    SecretBytes der(front.size() + private_key.size());
    if (der.empty()) return der;
    std::ranges::copy(front, der.writable().begin());
    std::ranges::copy(private_key, der.writable().subspan(front.size()).begin());
    return der;
}

std::optional<ByteView> decode_public_key_info(const Algorithm& algorithm, ByteView der) {
    const auto structure = take(der, kSequence);
    if (!structure || !der.empty()) return std::nullopt;
    ByteView rest = *structure;
    if (!take_exactly(rest, algorithm_identifier(algorithm))) return std::nullopt;
    const auto bits = take(rest, kBitString);
    if (!bits || !rest.empty() || bits->empty() || bits->front() != kNoUnusedBits) {
        return std::nullopt;
    }
    return bits->subspan(1);
}

std::optional<ByteView> decode_private_key_info(const Algorithm& algorithm, ByteView der) {
    const auto structure = take(der, kSequence);
    if (!structure || !der.empty()) return std::nullopt;
    ByteView rest = *structure;
    if (!take_exactly(rest, kVersion)) return std::nullopt;
    if (!take_exactly(rest, algorithm_identifier(algorithm))) return std::nullopt;
    auto octets = take(rest, kOctetString);
    if (!octets || !rest.empty()) return std::nullopt;
    const auto key = take(*octets, kOctetString);
    if (!key || !octets->empty()) return std::nullopt;
    return key;
}

}  // namespace stoq::falcon
