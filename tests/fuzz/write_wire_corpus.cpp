// Writes the seeds of the wire layer's fuzz targets: one small file for each thing that the layer
// can say. Run it again when a frame or a parameter comes along, and commit what it wrote.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>

#include "support/hex.h"

namespace {

using namespace stoq;
using test::from_hex;

struct Seed {
    const char* name;
    const char* hex;  // first the byte that chooses
};

// Choices: 00 1-RTT, 01 Initial, 02 Handshake, 03 0-RTT.
constexpr Seed kFrames[] = {
    {"padding_ping", "00 000000 01"},
    {"ack", "00 02 14 4064 02 02 00 03 05 00"},
    {"ack_ecn", "02 03 0a 00 00 0a 01 02 03"},
    {"ack_underflow", "00 02 05 00 01 00 05 00"},
    {"reset_stream", "00 04 04 4100 3f"},
    {"reset_stream_at", "00 24 04 4100 3f 20"},
    {"reset_stream_at_beyond_its_end", "00 24 04 4100 3f 4040"},
    {"stop_sending", "00 05 08 07"},
    {"crypto", "01 06 00 02 aabb 00000000"},
    {"new_token", "00 07 03 010203"},
    {"stream_to_the_end", "00 08 04 aabbcc"},
    {"stream_fin", "00 09 04"},
    {"stream_length", "00 0a 04 02 aabb 0b 08 00"},
    {"stream_offset", "03 0c 04 4100 aabb"},
    {"stream_all", "00 0f 04 05 01 aa 0e 04 06 01 bb"},
    {"stream_offset_too_large", "00 0e 04 ffffffffffffffff 01 aa"},
    {"max_data", "00 10 bfffffff"},
    {"max_stream_data", "00 11 07 4100"},
    {"max_streams", "00 12 05 13 d000000000000000"},
    {"blocked", "00 14 09 15 04 09 16 01 17 02"},
    {"new_connection_id", "00 18 05 03 04 01020304 000102030405060708090a0b0c0d0e0f"},
    {"retire_connection_id", "00 19 06"},
    {"path", "00 1a 0102030405060708 1b 0102030405060708"},
    {"connection_close", "01 1c 0a 06 03 626164"},
    {"connection_close_application", "00 1d 4100 00"},
    {"handshake_done", "00 1e"},
    {"datagram", "00 31 03 010203 31 00 30 0405"},
    {"datagram_zero_rtt", "03 30 aabb"},
    {"ack_frequency", "00 40af 07 05 4e20 03 1f"},
    {"unknown", "00 80abcdef"},
    {"not_minimal", "00 4001"},
};

// Choices: the length of our connection IDs, plus 80 when the fixed bit may be clear.
constexpr Seed kHeaders[] = {
    {"initial", "04 c3 00000001 04 01020304 02 a1a2 03 746f6b 4005 0000000155"},
    {"zero_rtt", "04 d0 00000001 00 00 02 aabb"},
    {"handshake", "04 e0 00000001 02 0102 00 03 aabbcc"},
    {"retry", "04 ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba"},
    {"version_negotiation", "04 f8 00000000 03 a1a2a3 02 0102 1a3a5a7a 00000001"},
    {"unsupported", "04 80 1a2a3a4a 02 0102 01 aa ff"},
    {"version_2",
     "04 d3 6b3343cf 04 01020304 02 a1a2 03 746f6b 4005 0000000155 f0 6b3343cf 00 00 02 1122"},
    {"short", "04 41 01020304 1122334455"},
    {"greased", "84 01 01020304 1122334455"},
    {"coalesced",
     "04 c0 00000001 01 aa 00 00 02 0011 e0 00000001 01 aa 00 03 001122 41 aaaaaaaa 778899"},
};

// Choices: 00 a client's, 01 a server's.
constexpr Seed kParameters[] = {
    {"client", "00 01 04 80007530 03 02 45c0 04 04 80100000 08 01 10 0e 01 08 0f 04 a1a2a3a4"},
    {"server_ids", "01 00 04 01020304 0f 02 a1a2 10 01 bb 02 10 000102030405060708090a0b0c0d0e0f"},
    {"limits", "00 05 01 01 06 01 02 07 01 03 09 08 d000000000000000 0a 01 14 0b 02 7fff"},
    {"flags_and_extensions", "00 0c 00 6ab2 00 20 04 8000ffff"},
    {"preferred_address",
     "01 0d 2c c0000201 1151 20010db8000000000000000000000007 01bb 03 c1c2c3"
     "000102030405060708090a0b0c0d0e0f"},
    {"min_ack_delay", "00 c0000000ff04de1b 02 43e8"},
    {"min_ack_delay_above_max", "00 c0000000ff04de1b 04 8000ffff"},
    {"version_information", "00 11 0c 00000001 6b3343cf 00000001"},
    {"version_information_alone", "01 11 04 6b3343cf"},
    {"version_information_odd", "01 11 05 00000001 00"},
    {"reset_stream_at", "00 1d 00"},
    {"reset_stream_at_with_a_value", "01 1d 01 00"},
    {"reserved", "00 1b 04 deadbeef 80000100 00"},
    {"duplicate", "00 01 01 05 01 01 05"},
};

bool write(const std::filesystem::path& folder, std::span<const Seed> seeds) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    for (const Seed& seed : seeds) {
        const auto bytes = from_hex(seed.hex);
        std::ofstream file(folder / seed.name, std::ios::binary);
        file.write(reinterpret_cast<const char*>(bytes.data()),
                   static_cast<std::streamsize>(bytes.size()));
        if (!file) {
            std::fprintf(stderr, "cannot write %s\n", (folder / seed.name).c_str());
            return false;
        }
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: write_wire_corpus <folder of the corpora>\n");
        return 2;
    }
    const std::filesystem::path folder(argv[1]);
    const bool written = write(folder / "fuzz_frames", kFrames) &&
                         write(folder / "fuzz_packet_header", kHeaders) &&
                         write(folder / "fuzz_transport_parameters", kParameters);
    return written ? 0 : 1;
}
