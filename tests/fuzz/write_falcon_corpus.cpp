// Writes the seeds of the Falcon targets, and Falcon's of fuzz_certificate: real keys, edits of
// signatures, and certificates, with keys that are made here and thrown away.
#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "falcon/der.h"
#include "falcon/key.h"
#include "support/test_credentials.h"
#include "tls/certificates.h"

namespace {

using namespace stoq;
using Buffer = std::vector<std::uint8_t>;

std::filesystem::path root;

void write(const char* target, const std::string& name, std::uint8_t choice, ByteView bytes) {
    std::filesystem::create_directories(root / target);
    Buffer seed = {choice};
    seed.insert(seed.end(), bytes.begin(), bytes.end());
    std::ofstream(root / target / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(seed.data()),
               static_cast<std::streamsize>(seed.size()));
}

void write_keys(std::uint8_t index) {
    const falcon::Algorithm& algorithm = falcon::kAlgorithms[index];
    const auto key = falcon::Key::generate(algorithm, nullptr);
    const auto choice = static_cast<std::uint8_t>(2 * index);
    write("fuzz_falcon_key", std::string("public_") + algorithm.name, choice,
          falcon::encode_public_key_info(algorithm, key->public_bytes()));
    write("fuzz_falcon_key", std::string("private_") + algorithm.name,
          static_cast<std::uint8_t>(choice + 1),
          falcon::encode_private_key_info(algorithm, key->private_bytes().view()).view());
}

// Edits as fuzz_falcon_signature reads them.
void write_edits(std::uint8_t index) {
    const std::pair<const char*, Buffer> seeds[] = {
        {"untouched_", {}},
        {"bit_of_signature_", {0, 1, 0, 0x10}},
        {"byte_more_", {1, 0xff, 0xff, 0}},
        {"truncated_", {2, 0, 200, 0}},
        {"byte_less_", {3, 0, 45, 0}},
        {"message_", {4, 0, 3, 1}},
        {"and_back_", {0, 1, 0, 0x10, 0, 1, 0, 0x10}},
    };
    for (const auto& [name, edits] : seeds) {
        write("fuzz_falcon_signature", name + std::string(falcon::kAlgorithms[index].name), index,
              edits);
    }
}

// Edits as fuzz_falcon_certificate reads them.
void write_certificate_edits(std::uint8_t index) {
    const std::pair<const char*, Buffer> seeds[] = {
        {"untouched_", {}},
        {"longer_length_", {0, 0, 1, 1, 1, 0, 2, 0}},
        {"bit_of_version_", {0, 0, 12, 1}},
        {"bit_of_key_", {0, 2, 0, 0x10}},
        {"bit_of_signature_", {0, 8, 0, 0x10}},
        {"truncated_", {2, 8, 0, 0}},
        {"byte_more_", {1, 0xff, 0xff, 0}},
        {"and_back_", {0, 4, 0, 0x10, 0, 4, 0, 0x10}},
    };
    for (const auto& [name, edits] : seeds) {
        write("fuzz_falcon_certificate", name + std::to_string(index), index, edits);
    }
}

void write_certificate(const std::string& name, KeyType type) {
    const PemIdentity pem = test::make_pem(type);
    const std::string& text = pem.certificate();
    const ByteView bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    const tls::Library library;
    const auto chain = tls::read_certificates(library, text);
    write("fuzz_certificate", "der_" + name, 0, tls::der_of(*chain->front()));
    write("fuzz_certificate", "pem_" + name, 1, bytes);
    write("fuzz_certificate", "identity_" + name, 3, bytes);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    root = argv[1];
    for (std::uint8_t index = 0; index < falcon::kAlgorithmCount; ++index) {
        write_keys(index);
        write_edits(index);
    }
    for (std::uint8_t index = 0; index < 5; ++index) write_certificate_edits(index);
    write_certificate("falcon1024", KeyType::kFalcon1024);
    write_certificate("falconpadded512", KeyType::kFalconPadded512);
    write_certificate("p521_falconpadded1024", KeyType::kP521FalconPadded1024);
    return 0;
}
