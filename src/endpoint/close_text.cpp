// A connection's end in one line for people.
#include "stoq/event.h"

namespace stoq {
namespace {

std::string_view describe(CloseKind kind) {
    switch (kind) {
        case CloseKind::kLocalApplication: return "closed by this application";
        case CloseKind::kPeerApplication: return "closed by the peer's application";
        case CloseKind::kLocalTransport: return "closed because the peer was in error";
        case CloseKind::kPeerTransport: return "closed by the peer";
        case CloseKind::kIdleTimeout: return "timed out: nothing was heard from the peer";
        case CloseKind::kHandshakeTimeout: return "timed out: the handshake was not completed";
        case CloseKind::kStatelessReset: return "reset: the peer no longer knows the connection";
        case CloseKind::kVersionMismatch: return "the server speaks no common version";
        case CloseKind::kRefused: return "refused: nobody listens at that address";
    }
    return "closed";
}

std::string_view describe(CertificateProblem problem) {
    switch (problem) {
        case CertificateProblem::kNone: return "";
        case CertificateProblem::kUnknownIssuer: return "the certificate's issuer is not trusted";
        case CertificateProblem::kExpired: return "the certificate has expired";
        case CertificateProblem::kNotYetValid: return "the certificate is not valid yet";
        case CertificateProblem::kWrongHost: return "the certificate is for another host";
        case CertificateProblem::kPinMismatch: return "the key is not the pinned one";
        case CertificateProblem::kMissing: return "no certificate was presented";
        case CertificateProblem::kNotPostQuantum:
            return "the certificate is not post-quantum, which is required here";
        case CertificateProblem::kNotRaw:
            return "the peer showed a certificate, and a raw public key is required here";
        case CertificateProblem::kOther: return "the certificate was not accepted";
    }
    return "";
}

// The peer's words may be anything: only printable ASCII is shown.
void append_escaped(std::string& text, std::string_view phrase) {
    constexpr std::size_t kLongest = 200;
    for (const char c : phrase.substr(0, kLongest)) text += c >= ' ' && c <= '~' ? c : '?';
}

bool has_transport_code(CloseKind kind) {
    return kind == CloseKind::kLocalTransport || kind == CloseKind::kPeerTransport;
}

}  // namespace

std::string to_string(const CloseInfo& info) {
    std::string text(describe(info.kind));
    if (has_transport_code(info.kind)) {
        text += " (";
        text += to_string(static_cast<TransportErrorCode>(info.code));
        if (info.code >= 0x100 && info.code <= 0x1ff) {
            text += ", TLS alert " + std::to_string(info.code & 0xff);
        }
        text += ")";
    } else if (info.kind == CloseKind::kPeerApplication) {
        text += " (code " + std::to_string(info.code) + ")";
    }
    if (info.certificate != CertificateProblem::kNone) {
        text += ": ";
        text += describe(info.certificate);
    } else if (info.reason != Reason::kNone) {
        text += ": ";
        text += to_string(info.reason);
    }
    if (!info.phrase.empty()) {
        text += ": ";
        append_escaped(text, info.phrase);
    }
    return text;
}

}  // namespace stoq
