// Writes the seeds of fuzz_tls_session and fuzz_certificate: real flights and certificates, with
// keys that are made here and thrown away.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "support/tls_pair.h"
#include "tls/certificates.h"

namespace {

using namespace stoq;
using Bytes = std::vector<std::uint8_t>;

std::filesystem::path root;

void write(const char* target, const std::string& name, ByteView bytes) {
    std::filesystem::create_directories(root / target);
    std::ofstream(root / target / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
}

void append_record(Bytes& records, EncryptionLevel level, ByteView bytes) {
    records.push_back(static_cast<std::uint8_t>(level));
    records.push_back(static_cast<std::uint8_t>(bytes.size() >> 8));
    records.push_back(static_cast<std::uint8_t>(bytes.size()));
    records.insert(records.end(), bytes.begin(), bytes.end());
}

// What each side hears in one handshake.
void write_flights(const std::string& name, const Credentials& client, const Credentials& server) {
    Bytes to_server = {0};
    Bytes to_client = {1};
    test::TlsPair pair;
    pair.start(client, server);
    pair.meddle = [&](Role from, EncryptionLevel level, Bytes& bytes) {
        append_record(from == Role::kClient ? to_server : to_client, level, bytes);
    };
    pair.run();
    write("fuzz_tls_session", "to_server_" + name, to_server);
    write("fuzz_tls_session", "to_client_" + name, to_client);
}

Bytes chosen(std::uint8_t choice, ByteView rest) {
    Bytes bytes = {choice};
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    return bytes;
}

void write_certificates(const std::string& name, KeyType type) {
    const PemIdentity pem = test::make_pem(type);
    const std::string& text = pem.certificate();
    const ByteView text_bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    const tls::Library library;
    const auto chain = tls::read_certificates(library, text);
    write("fuzz_certificate", "der_" + name, chosen(0, tls::der_of(*chain->front())));
    write("fuzz_certificate", "pem_" + name, chosen(1, text_bytes));
    write("fuzz_certificate", "identity_" + name, chosen(3, text_bytes));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s CORPORA-DIRECTORY\n", argv[0]);
        return 2;
    }
    root = argv[1];
    Credentials classical = test::client_credentials();
    classical.groups = "X25519";
    write_flights("x25519", classical, test::server_credentials());
    write_flights("hybrid", test::client_credentials(), test::server_credentials());
    Credentials retrying = test::server_credentials();
    retrying.groups = "P-256";
    write_flights("retry", test::client_credentials(), retrying);
    write_certificates("p256", KeyType::kP256);
    write_certificates("ed25519", KeyType::kEd25519);
    return 0;
}
