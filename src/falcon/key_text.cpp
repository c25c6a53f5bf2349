#include "falcon/key_text.h"

#include <algorithm>

namespace stoq::falcon {
namespace {

bool write_hexadecimal(BIO& out, const char* label, ByteView bytes) {
    constexpr std::size_t kBytesPerLine = 15;
    if (BIO_printf(&out, "%s:\n", label) <= 0) return false;
    while (!bytes.empty()) {
        const ByteView line = bytes.first(std::min(kBytesPerLine, bytes.size()));
        bytes = bytes.subspan(line.size());
        if (BIO_puts(&out, "    ") <= 0) return false;
        for (std::size_t i = 0; i < line.size(); ++i) {
            const bool is_last = bytes.empty() && i + 1 == line.size();
            if (BIO_printf(&out, "%02x%s", line[i], is_last ? "" : ":") <= 0) return false;
        }
        if (BIO_puts(&out, "\n") <= 0) return false;
    }
    return true;
}

}  // namespace

bool write_text(BIO& out, const Key& key, bool with_private) {
    const char* title = key.algorithm().title;
    if (with_private) {
        const SecretBytes bytes = key.private_bytes();
        if (bytes.empty()) return false;
        // The public key that follows the private one is printed by itself.
        const std::size_t size = bytes.size() - key.algorithm().scheme->public_key_size;
        if (BIO_printf(&out, "%s Private-Key:\n", title) <= 0 ||
            !write_hexadecimal(out, "priv", bytes.view().first(size))) {
            return false;
        }
    } else if (BIO_printf(&out, "%s Public-Key:\n", title) <= 0) {
        return false;
    }
    return write_hexadecimal(out, "pub", key.public_bytes());
}

}  // namespace stoq::falcon
