// An hq-interop client and server on STOQ, for transfers with other implementations.
//
//     stoq_hq server --listen HOST:PORT --cert FILE --key FILE --root DIR [--identity DIR]
//     stoq_hq client --downloads DIR (--ca FILE | --insecure) --url URL...
//
// --pq off|prefer|require is the post-quantum policy for key exchange and authentication.
// --identity adds one that `stoq keygen` made. Each connection prints a line that says what was
// negotiated.
//
// One client-initiated bidirectional stream per file: `GET /name` and a line end, then the end of
// the stream; the answer is the bytes of the file. All URLs of one call go to the first one's host.
// Names are flat: nothing outside of the root can be named. SSLKEYLOGFILE and QLOGDIR are honoured.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "stoq/runtime.h"

namespace {

constexpr std::string_view kProtocol = "hq-interop";
constexpr std::size_t kLongestRequest = 4096;
constexpr std::size_t kBlock = std::size_t{1} << 20;
constexpr std::uint64_t kUnknownFile = 1;
constexpr auto kGoodbye = std::chrono::seconds(5);

struct Options {
    std::string listen, certificate, key, root, downloads, ca, identity, pq;
    std::vector<std::string> urls;
    bool insecure = false;
    bool early = false;  // 0-RTT; a client connects once before, for a ticket
};

[[noreturn]] void fail(const std::string& text) {
    std::fprintf(stderr, "stoq_hq: %s\n", text.c_str());
    std::exit(1);
}

template <typename T>
T value_or_fail(stoq::Result<T, stoq::RuntimeError> result) {
    if (!result) fail(result.error().message());
    return std::move(*result);
}

template <typename T>
T value_or_fail(stoq::CredentialResult<T> result) {
    if (!result) fail(result.error().message());
    return std::move(*result);
}

std::string from_environment(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

stoq::PostQuantum policy_of(const std::string& word) {
    if (word == "off") return stoq::PostQuantum::kOff;
    if (word == "require") return stoq::PostQuantum::kRequire;
    if (!word.empty() && word != "prefer") fail("--pq is off, prefer or require, not " + word);
    return stoq::PostQuantum::kPrefer;
}

stoq::Credentials base_credentials(const Options& options) {
    stoq::Credentials credentials;
    credentials.post_quantum = {policy_of(options.pq), policy_of(options.pq)};
    credentials.alpn = {std::string(kProtocol)};
    credentials.early_data = options.early;
    if (const std::string path = from_environment("SSLKEYLOGFILE"); !path.empty()) {
        auto log = std::make_shared<std::ofstream>(path, std::ios::app);
        credentials.key_log = [log](std::string_view line) { *log << line << std::endl; };
    }
    return credentials;
}

std::unique_ptr<stoq::Runtime> make_runtime() {
    stoq::RuntimeSettings settings;
    settings.qlog_directory = from_environment("QLOGDIR");
    return value_or_fail(stoq::Runtime::create(settings));
}

// For whoever wants to know that it was no less than the peer can do.
void tell_negotiated(stoq::Endpoint& endpoint, stoq::ConnectionHandle connection) {
    const auto info = endpoint.info(connection);
    if (!info) return;
    std::printf("negotiated: group=%s signature=%s\n", info->key_exchange_group.c_str(),
                info->signature.c_str());
    if (info->early_data != stoq::EarlyDataState::kNone) {
        const bool accepted = info->early_data == stoq::EarlyDataState::kAccepted;
        std::printf("early data: %s\n", accepted ? "accepted" : "rejected");
    }
    std::fflush(stdout);
}

// "/a/b" has the name "b".
std::string last_component(std::string_view path) {
    return std::string(path.substr(path.rfind('/') + 1));
}

// The bytes of a regular file that lies directly in `root`.
std::optional<stoq::SharedBytes> read_file(int root, const std::string& name) {
    if (name.empty() || name.find('/') != std::string::npos) return std::nullopt;
    const int file = ::openat(root, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return std::nullopt;
    struct stat status{};
    std::optional<stoq::SharedBytes> contents;
    if (::fstat(file, &status) == 0 && S_ISREG(status.st_mode)) {
        std::vector<std::uint8_t> bytes(static_cast<std::size_t>(status.st_size));
        std::size_t filled = 0;
        for (ssize_t got = 1; got > 0 && filled < bytes.size();
             filled += static_cast<std::size_t>(std::max<ssize_t>(got, 0)))
            got = ::read(file, bytes.data() + filled, bytes.size() - filled);
        if (filled == bytes.size()) contents = stoq::SharedBytes::take(std::move(bytes));
    }
    ::close(file);
    return contents;
}

// Names a stream of any connection.
using StreamKey = std::pair<std::uint64_t, std::uint64_t>;

template <typename StreamEvent>
StreamKey key_of(const StreamEvent& event) {
    const std::uint64_t connection =
        std::uint64_t{event.connection.generation} << 32 | event.connection.index;
    return {connection, event.stream.value()};
}

class Server {
public:
    Server(stoq::Endpoint& endpoint, const std::string& root)
        : endpoint_(endpoint), root_(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
        if (root_ < 0) fail("cannot open the directory " + root);
    }
    ~Server() { ::close(root_); }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    void on(const stoq::StreamReadable& event);
    void on(const stoq::StreamWritable& event) { send(event.connection, event.stream); }
    void on(const stoq::StreamStopped& event) { exchanges_.erase(key_of(event)); }
    void on(const stoq::StreamReset& event) {
        if (exchanges_.erase(key_of(event)) != 0)
            (void)endpoint_.reset(event.connection, event.stream, event.code);
    }
    void on(const stoq::ConnectionEstablished& event) {
        tell_negotiated(endpoint_, event.connection);
    }
    void on(const stoq::ConnectionClosed& event);
    void on(const auto&) {}

private:
    struct Exchange {
        std::string request;
        stoq::SharedBytes answer;
        std::size_t sent = 0;
        bool answering = false;
    };

    void answer(stoq::ConnectionHandle connection, stoq::StreamId stream, Exchange& exchange);
    void send(stoq::ConnectionHandle connection, stoq::StreamId stream);

    stoq::Endpoint& endpoint_;
    int root_;
    std::map<StreamKey, Exchange> exchanges_;
};

void Server::on(const stoq::StreamReadable& event) {
    Exchange& exchange = exchanges_[key_of(event)];
    while (const auto view = endpoint_.peek(event.connection, event.stream)) {
        if (view->bytes.empty() && !view->finished) return;
        const bool finished = view->finished;
        if (exchange.request.size() < kLongestRequest)
            exchange.request.append(view->bytes.begin(), view->bytes.end());
        if (!endpoint_.consume(event.connection, event.stream, view->bytes.size())) break;
        if (!finished) continue;
        answer(event.connection, event.stream, exchange);
        return;
    }
    exchanges_.erase(key_of(event));
}

void Server::answer(stoq::ConnectionHandle connection, stoq::StreamId stream, Exchange& exchange) {
    std::string_view request = exchange.request;
    while (request.ends_with('\r') || request.ends_with('\n')) request.remove_suffix(1);
    std::optional<stoq::SharedBytes> contents;
    if (request.starts_with("GET /")) contents = read_file(root_, std::string(request.substr(5)));
    if (!contents) {
        (void)endpoint_.reset(connection, stream, kUnknownFile);
        return;
    }
    exchange.answer = std::move(*contents);
    exchange.answering = true;
    send(connection, stream);
}

void Server::send(stoq::ConnectionHandle connection, stoq::StreamId stream) {
    const auto found = exchanges_.find(key_of(stoq::StreamWritable{connection, stream}));
    if (found == exchanges_.end() || !found->second.answering) return;
    Exchange& exchange = found->second;
    while (exchange.sent < exchange.answer.size()) {
        const auto taken =
            endpoint_.write(connection, stream, exchange.answer.slice(exchange.sent, kBlock));
        if (!taken) break;
        if (*taken == 0) return;
        exchange.sent += *taken;
    }
    (void)endpoint_.finish(connection, stream);
    exchanges_.erase(found);
}

void Server::on(const stoq::ConnectionClosed& event) {
    std::printf("%s\n", to_string(event.info).c_str());
    std::fflush(stdout);
    const StreamKey first = key_of(stoq::StreamWritable{event.connection, stoq::StreamId(0)});
    const auto end = exchanges_.lower_bound({first.first + 1, 0});
    exchanges_.erase(exchanges_.lower_bound(first), end);
}

class Client {
public:
    Client(stoq::Runtime& runtime, const Options& options)
        : runtime_(runtime), directory_(options.downloads) {
        for (const std::string& url : options.urls) paths_.push_back(path_of(url));
    }

    void on(const stoq::ConnectionEstablished& event) {
        tell_negotiated(runtime_.endpoint(), event.connection);
        open_streams(event.connection);
    }
    void on(const stoq::EarlyDataReady& event) { open_streams(event.connection); }
    void on(const stoq::StreamsAvailable& event) { open_streams(event.connection); }
    void on(const stoq::StreamWritable& event) { request(event.connection, event.stream); }
    void on(const stoq::StreamReadable& event);
    void on(const stoq::StreamReset& event) {
        fail("the server reset a stream: code " + std::to_string(event.code));
    }
    void on(const stoq::ConnectionClosed& event) {
        if (finished_ != paths_.size()) fail(to_string(event.info));
        runtime_.stop();
    }
    void on(const auto&) {}

private:
    struct Transfer {
        std::string unsent_request;
        std::ofstream file;
    };

    static std::string path_of(std::string_view url);
    void open_streams(stoq::ConnectionHandle connection);
    void request(stoq::ConnectionHandle connection, stoq::StreamId stream);
    void on_end(stoq::ConnectionHandle connection, Transfer& transfer);

    stoq::Runtime& runtime_;
    std::string directory_;
    std::vector<std::string> paths_;
    std::map<std::uint64_t, Transfer> transfers_;
    std::size_t finished_ = 0;
};

constexpr std::string_view kScheme = "https://";

// "host:port" of a URL; 443 when it names no port.
std::string authority_of(std::string_view url) {
    if (!url.starts_with(kScheme)) fail("not an https URL: " + std::string(url));
    url.remove_prefix(kScheme.size());
    const auto parts = stoq::split_host_and_port(url.substr(0, url.find('/')), 443);
    if (!parts) fail("not a host and a port: " + std::string(url));
    const bool ipv6 = parts->host.find(':') != std::string::npos;
    return (ipv6 ? "[" + parts->host + "]" : parts->host) + ":" + std::to_string(parts->port);
}

std::string Client::path_of(std::string_view url) {
    const std::size_t slash = url.find('/', kScheme.size());
    if (slash == std::string_view::npos || url.ends_with('/'))
        fail("no file in the URL " + std::string(url));
    return std::string(url.substr(slash));
}

void Client::open_streams(stoq::ConnectionHandle connection) {
    while (transfers_.size() < paths_.size()) {
        const auto stream =
            runtime_.endpoint().open_stream(connection, stoq::Directionality::kBidirectional);
        if (!stream) return;
        const std::string& path = paths_[transfers_.size()];
        Transfer& transfer = transfers_[stream->value()];
        transfer.unsent_request = "GET " + path + "\r\n";
        transfer.file.open(directory_ + "/" + last_component(path), std::ios::binary);
        if (!transfer.file) fail("cannot write to " + directory_);
        request(connection, *stream);
    }
}

void Client::request(stoq::ConnectionHandle connection, stoq::StreamId stream) {
    std::string& text = transfers_[stream.value()].unsent_request;
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(text.data());
    const auto taken =
        runtime_.endpoint().write(connection, stream, stoq::ByteView(bytes, text.size()));
    if (!taken) return;
    text.erase(0, *taken);
    if (text.empty()) (void)runtime_.endpoint().finish(connection, stream);
}

void Client::on(const stoq::StreamReadable& event) {
    Transfer& transfer = transfers_[event.stream.value()];
    stoq::Endpoint& endpoint = runtime_.endpoint();
    while (const auto view = endpoint.peek(event.connection, event.stream)) {
        if (view->bytes.empty() && !view->finished) return;
        const bool finished = view->finished;
        transfer.file.write(reinterpret_cast<const char*>(view->bytes.data()),
                            static_cast<std::streamsize>(view->bytes.size()));
        if (!endpoint.consume(event.connection, event.stream, view->bytes.size())) break;
        if (finished) return on_end(event.connection, transfer);
    }
    fail("a stream ended before its file did");
}

void Client::on_end(stoq::ConnectionHandle connection, Transfer& transfer) {
    transfer.file.close();
    if (!transfer.file) fail("cannot write to " + directory_);
    if (++finished_ == paths_.size()) (void)runtime_.endpoint().close(connection, 0);
}

volatile std::sig_atomic_t g_stopping = 0;
stoq::Runtime* g_runtime = nullptr;

void on_signal(int) {
    g_stopping = 1;
    g_runtime->stop();
}

void run(stoq::Runtime& runtime) {
    g_runtime = &runtime;
    std::signal(SIGTERM, &on_signal);
    std::signal(SIGINT, &on_signal);
    runtime.run();
    if (g_stopping != 0) runtime.close_all(0);
    runtime.drain(kGoodbye);
}

template <typename Application>
void tell(stoq::Runtime& runtime, Application& application) {
    runtime.set_event_handler([&application](const stoq::Event& event) {
        std::visit([&application](const auto& kind) { application.on(kind); }, event);
    });
}

int run_server(const Options& options) {
    stoq::ListenConfig config;
    config.address = options.listen;
    config.credentials = base_credentials(options);
    config.credentials.identities = {
        value_or_fail(stoq::Identity::from_files(options.certificate, options.key))};
    if (!options.identity.empty()) {
        config.credentials.identities.push_back(
            value_or_fail(stoq::Identity::load(options.identity)));
    }
    const auto runtime = make_runtime();
    Server server(runtime->endpoint(), options.root);
    tell(*runtime, server);
    const stoq::Address address = value_or_fail(runtime->listen(config));
    std::printf("ready: %s\n", to_string(address).c_str());
    std::fflush(stdout);
    run(*runtime);
    return 0;
}

// A ticket of a connection that is made for it alone.
std::vector<std::uint8_t> fetch_ticket(stoq::Runtime& runtime, const stoq::ConnectConfig& config) {
    std::vector<std::uint8_t> ticket;
    bool closed = false;
    runtime.set_event_handler([&](const stoq::Event& event) {
        if (const auto* received = std::get_if<stoq::TicketReceived>(&event)) {
            ticket = received->ticket;
            (void)runtime.endpoint().close(received->connection, 0);
        }
        closed = closed || std::holds_alternative<stoq::ConnectionClosed>(event);
    });
    (void)value_or_fail(runtime.connect(config));
    while (!closed) runtime.run_once(stoq::Duration::max());
    if (ticket.empty()) fail("the server has given no ticket");
    return ticket;
}

int run_client(const Options& options) {
    stoq::Credentials credentials = base_credentials(options);
    if (options.insecure) {
        std::fprintf(stderr, "stoq_hq: --insecure: anybody may pretend to be the server\n");
        credentials.trust = stoq::Trust::insecure();
    } else {
        credentials.trust = value_or_fail(stoq::Trust::ca_file(options.ca));
    }
    stoq::ConnectConfig config;
    config.address = authority_of(options.urls.front());
    config.credentials = std::make_shared<const stoq::Credentials>(std::move(credentials));
    const auto runtime = make_runtime();
    if (options.early) config.ticket = fetch_ticket(*runtime, config);
    Client client(*runtime, options);
    tell(*runtime, client);
    (void)value_or_fail(runtime->connect(config));
    run(*runtime);
    return g_stopping == 0 ? 0 : 1;
}

[[noreturn]] void usage() {
    fail(
        "usage: stoq_hq server --listen HOST:PORT --cert FILE --key FILE --root DIR [--identity "
        "DIR]\n"
        "       stoq_hq client --downloads DIR (--ca FILE | --insecure) --url URL...\n"
        "       --pq off|prefer|require, --early");
}

Options parse(const std::vector<std::string>& arguments) {
    Options options;
    const std::map<std::string_view, std::string*> texts = {
        {"--listen", &options.listen}, {"--cert", &options.certificate},
        {"--key", &options.key},       {"--root", &options.root},
        {"--ca", &options.ca},         {"--downloads", &options.downloads},
        {"--pq", &options.pq},         {"--identity", &options.identity}};
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        const auto text = texts.find(arguments[i]);
        if (arguments[i] == "--insecure") {
            options.insecure = true;
        } else if (arguments[i] == "--early") {
            options.early = true;
        } else if (text != texts.end() && i + 1 < arguments.size()) {
            *text->second = arguments[++i];
        } else if (arguments[i] != "--url" && !arguments[i].starts_with("--")) {
            options.urls.push_back(arguments[i]);
        } else if (arguments[i] != "--url") {
            usage();
        }
    }
    return options;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    if (arguments.empty()) usage();
    const Options options = parse(arguments);
    const bool server = arguments.front() == "server";
    if (!server && arguments.front() != "client") usage();
    if (server ? options.listen.empty() || options.root.empty()
               : options.urls.empty() || options.downloads.empty())
        usage();
    return server ? run_server(options) : run_client(options);
}
