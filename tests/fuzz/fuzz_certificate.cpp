// Certificates and keys from anywhere: as DER, and as the PEM text of a file.
#include "fuzz_input.h"
#include "tls/certificates.h"

namespace {

using namespace stoq;

bool is_printable(std::string_view text) {
    for (const char c : text) {
        if (c < ' ' || c > '~') return false;
    }
    return true;
}

void describe(const tls::Library& library, const X509& certificate) {
    fuzz::require(is_printable(tls::subject_of(certificate)));
    fuzz::require(is_printable(tls::names_of(certificate)));
    tls::fingerprint_of(library, certificate);
    tls::time_of(*X509_get0_notAfter(&certificate));
    const auto der = tls::der_of(certificate);
    fuzz::require(tls::certificate_from(library, der) != nullptr);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const tls::Library library;
    const fuzz::Input input(data, size);
    const std::string_view text(reinterpret_cast<const char*>(input.rest.data()),
                                input.rest.size());
    switch (input.choice % 4) {
        case 0:
            if (const auto certificate = tls::certificate_from(library, input.rest)) {
                describe(library, *certificate);
            }
            break;
        case 1:
            if (const auto chain = tls::read_certificates(library, text)) {
                fuzz::require(!chain->empty());
                for (const auto& certificate : *chain) describe(library, *certificate);
            }
            break;
        case 2:
            if (const auto key = tls::read_key(library, text, {})) fuzz::require(*key != nullptr);
            break;
        default:
            if (const auto identity = Identity::from_pem(text, text)) {
                fuzz::require(identity->fingerprint().size() == 64);
            }
            if (const auto trust = Trust::ca_pem(text)) fuzz::require(!trust->is_insecure());
    }
    return 0;
}
