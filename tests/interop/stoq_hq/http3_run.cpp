#include "http3_client.h"
#include "http3_server.h"
#include "session.h"

namespace stoq_hq {

int run_http3(const Options& options) {
    return options.server ? serve<Http3Server>(options) : fetch<Http3Client>(options);
}

}  // namespace stoq_hq
