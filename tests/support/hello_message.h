// A ClientHello or ServerHello taken apart (RFC 8446 section 4.1), so that a test can change it the
// way somebody on the path would, and put together again with every length right.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace stoq::test {

// Extension types (RFC 8446 section 4.2, RFC 7250 section 3).
inline constexpr std::uint16_t kSupportedGroups = 10;
inline constexpr std::uint16_t kSignatureAlgorithms = 13;
inline constexpr std::uint16_t kServerCertificateType = 20;
inline constexpr std::uint16_t kCompressCertificate = 27;
inline constexpr std::uint16_t kSupportedVersions = 43;
inline constexpr std::uint16_t kKeyShare = 51;

class HelloMessage {
public:
    using Buffer = std::vector<std::uint8_t>;
    struct Extension {
        std::uint16_t type = 0;
        Buffer body;
    };

    // Nothing when the bytes are not one whole hello message.
    static std::optional<HelloMessage> parse(ByteView message) {
        constexpr std::uint8_t kClientHello = 1;
        ByteReader reader(message);
        HelloMessage hello;
        const auto type = reader.read<std::uint8_t>();
        if (!type || !reader.read_bytes(3)) return std::nullopt;
        hello.is_client_ = *type == kClientHello;
        const std::size_t begin = message.size() - reader.rest().size();
        if (!reader.read_bytes(2 + 32) || !skip(reader, 1)) return std::nullopt;
        if (hello.is_client_ ? !skip(reader, 2) || !skip(reader, 1) : !reader.read_bytes(3)) {
            return std::nullopt;
        }
        const std::size_t end = message.size() - reader.rest().size();
        hello.fixed_.assign(message.begin() + static_cast<std::ptrdiff_t>(begin),
                            message.begin() + static_cast<std::ptrdiff_t>(end));
        hello.type_ = *type;
        const auto length = reader.read<std::uint16_t>();
        if (!length || reader.rest().size() != *length) return std::nullopt;
        while (!reader.rest().empty()) {
            const auto extension = reader.read<std::uint16_t>();
            const auto size = reader.read<std::uint16_t>();
            if (!extension || !size) return std::nullopt;
            const auto body = reader.read_bytes(*size);
            if (!body) return std::nullopt;
            hello.extensions.push_back({*extension, Buffer(body->begin(), body->end())});
        }
        return hello;
    }

    Buffer encode() const {
        Buffer tail;
        for (const Extension& extension : extensions) {
            append16(tail, extension.type);
            append16(tail, extension.body.size());
            tail.insert(tail.end(), extension.body.begin(), extension.body.end());
        }
        Buffer body = fixed_;
        append16(body, tail.size());
        body.insert(body.end(), tail.begin(), tail.end());
        Buffer message = {type_, 0};
        append16(message, body.size());
        message.insert(message.end(), body.begin(), body.end());
        return message;
    }

    bool is_client() const { return is_client_; }

    Buffer* find(std::uint16_t type) {
        const auto found = std::ranges::find(extensions, type, &Extension::type);
        return found == extensions.end() ? nullptr : &found->body;
    }

    bool remove(std::uint16_t type) {
        return std::erase_if(extensions, [type](const Extension& e) { return e.type == type; }) > 0;
    }

    // Of an extension that is a list of 16-bit numbers behind their length: keeps some.
    void keep_numbers(std::uint16_t type, const std::function<bool(std::uint16_t)>& keep) {
        Buffer* const body = find(type);
        if (body == nullptr) return;
        Buffer kept;
        for (std::size_t i = 2; i + 1 < body->size(); i += 2) {
            const std::uint16_t number = number_at(*body, i);
            if (keep(number)) append16(kept, number);
        }
        Buffer changed;
        append16(changed, kept.size());
        changed.insert(changed.end(), kept.begin(), kept.end());
        *body = changed;
    }

    // Of a client's key_share: keeps the shares of some groups.
    void keep_shares(const std::function<bool(std::uint16_t)>& keep) {
        Buffer* const body = find(kKeyShare);
        if (body == nullptr) return;
        Buffer kept;
        for (std::size_t i = 2; i + 3 < body->size();) {
            const std::size_t length = 4 + number_at(*body, i + 2);
            if (keep(number_at(*body, i))) {
                const auto from = body->begin() + static_cast<std::ptrdiff_t>(i);
                kept.insert(kept.end(), from, from + static_cast<std::ptrdiff_t>(length));
            }
            i += length;
        }
        Buffer changed;
        append16(changed, kept.size());
        changed.insert(changed.end(), kept.begin(), kept.end());
        *body = changed;
    }

    std::vector<Extension> extensions;

private:
    static bool skip(ByteReader& reader, std::size_t length_size) {
        const auto length = reader.read_bytes(length_size);
        if (!length) return false;
        std::size_t value = 0;
        for (const std::uint8_t byte : *length) value = value << 8 | byte;
        return reader.read_bytes(value).has_value();
    }
    static void append16(Buffer& bytes, std::size_t value) {
        bytes.push_back(static_cast<std::uint8_t>(value >> 8));
        bytes.push_back(static_cast<std::uint8_t>(value));
    }
    static std::uint16_t number_at(const Buffer& bytes, std::size_t at) {
        return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
    }

    std::uint8_t type_ = 0;
    bool is_client_ = false;
    Buffer fixed_;  // all before the extensions, without the message's header
};

}  // namespace stoq::test
