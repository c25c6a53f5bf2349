// An hq-interop and HTTP/3 client and server on STOQ, for transfers with other implementations.
//
//     stoq_hq server --listen HOST:PORT --cert FILE --key FILE --root DIR [--identity DIR]
//     stoq_hq client --downloads DIR (--ca FILE | --insecure) --url URL...
//     stoq_hq endpoint
//
// --pq is the post-quantum policy for key exchange and authentication, --identity adds one that
// `stoq keygen` made, and --early is for 0-RTT: a client fetches the first file, and the others
// (the first one again, if there is one only) over a second connection. Each connection prints a
// line that says what was negotiated.
//
// The third obeys the contract of the QUIC interoperability runner: ROLE, TESTCASE, REQUESTS, exit
// code 127 for what is not supported, and the directories /www, /downloads and /certs, or what WWW,
// DOWNLOADS and CERTS name instead. SSLKEYLOGFILE and QLOGDIR are honoured by all three.
#include "client.h"
#include "options.h"
#include "server.h"
#include "session.h"

int main(int argc, char** argv) {
    using namespace stoq_hq;
    const Options options = read_options({argv + 1, argv + argc});
    if (options.feature == Feature::kHttp3) return run_http3(options);
    return options.server ? serve<Server>(options) : fetch<Client>(options);
}
