#include "server.h"

#include <atomic>
#include <cstdio>
#include <exception>
#include <memory>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "client_session.h"
#include "exit_code.h"
#include "interrupt.h"
#include "server_key.h"
#include "stoq/workers.h"

namespace stoq::tool {
namespace {

constexpr Duration kCloseLimit = std::chrono::milliseconds(500);

Credentials server_credentials(const ServerOptions& options, std::string_view alpn) {
    Credentials credentials = credentials_of(options.identity, alpn);
    if (auto trust = trust_of(options.client_pin, options.client_ca_file)) {
        credentials.trust = std::move(*trust);
        credentials.client_authentication = ClientAuthentication::kRequired;
    }
    if (const auto usable = check_credentials(Role::kServer, credentials); !usable) {
        throw Failure(ExitCode::kUsage, usable.error().message());
    }
    return credentials;
}

void print_fingerprints(const Credentials& credentials) {
    for (const Identity& identity : credentials.identities) {
        fmt::print("fingerprint {}\n", identity.fingerprint());
    }
}

void note(const std::string& hint) {
    if (!hint.empty()) say_on_stderr("stoq: " + hint);
}

// Runtimes that serve one port, each on a thread of its own but the first.
class Server {
public:
    Server(const ServerOptions& options, std::string_view alpn) : options_(options), alpn_(alpn) {
        if (!options.key_file.empty()) key_ = server_key(options.key_file);
        if (options.workers > 1 || !options.takeover_path.empty()) make_group();
    }
    ~Server() {
        if (group_) group_->set_taken_handler({});
        // What serves may wait for jobs that tell the runtimes of their end.
        for (const auto& runtime : runtimes_) runtime->set_event_handler({});
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    void listen(const Settings& settings, const MakeHandler& make_handler) {
        ListenConfig config;
        config.address = options_.listen;
        config.credentials = server_credentials(options_, alpn_);
        config.settings = settings;
        apply(options_.path, config.settings);
        for (unsigned i = 0; i < options_.workers; ++i) {
            runtimes_.push_back(value_or_fail(Runtime::create(runtime_settings(i))));
            Runtime& runtime = *runtimes_.back();
            runtime.set_event_handler(make_handler(runtime));
            // The others listen where the first has found a port.
            config.address = to_string(value_or_fail(runtime.listen(config)));
        }
        if (!options_.takeover_path.empty()) value_or_fail(group_->take_over());
        print_fingerprints(config.credentials);
        fmt::print("listening on {}\n", config.address);
        std::fflush(stdout);
        note(runtimes_.front()->datapath_report().buffer_hint);
        if (group_) note(group_->report().hint);
    }

    void run() {
        stop_on_signals(runtimes_.front().get());
        reload_on_hangup(runtimes_.front().get());
        std::vector<std::jthread> threads;
        for (std::size_t i = 1; i < runtimes_.size(); ++i) {
            threads.emplace_back([this, i] { run_worker(*runtimes_[i]); });
        }
        run_worker(*runtimes_.front());
        wake();
        threads.clear();
        reload_on_hangup(nullptr);
        stop_on_signals(nullptr);
    }

private:
    // What has become of the port.
    enum class Port : std::uint8_t { kOurs, kTakenMayFinish, kTakenMustEnd };

    void make_group() {
        group_ =
            value_or_fail(WorkerGroup::create({.count = static_cast<std::uint8_t>(options_.workers),
                                               .persistent_key = key_,
                                               .takeover_path = options_.takeover_path}));
        group_->set_taken_handler([this](bool may_finish) {
            port_ = may_finish ? Port::kTakenMayFinish : Port::kTakenMustEnd;
            wake();
        });
    }

    RuntimeSettings runtime_settings(unsigned worker) const {
        RuntimeSettings settings;
        settings.qlog_directory = options_.qlog_directory;
        settings.endpoint.persistent_key = key_;
        settings.group = group_;
        settings.worker = static_cast<std::uint8_t>(worker);
        if (options_.retry) settings.endpoint.retry = RetryPolicy::kAlways;
        return settings;
    }

    void wake() {
        for (const auto& runtime : runtimes_) runtime->post([] {});
    }

    void run_worker(Runtime& runtime) {
        while (!interrupted() && port_ == Port::kOurs) {
            runtime.run_once(Duration::max());
            if (&runtime == runtimes_.front().get() && take_hangup()) reload();
        }
        if (port_ == Port::kTakenMustEnd) return;
        if (port_ == Port::kTakenMayFinish) runtime.endpoint().stop_listening();
        while (!interrupted() && runtime.endpoint().statistics().connections_now > 0) {
            runtime.run_once(Duration::max());
        }
        runtime.close_all(0, "the server stops");
        runtime.drain(kCloseLimit);
    }

    // Reads the identity anew. One that cannot be used leaves the old one in service.
    void reload() {
        Credentials credentials;
        try {
            credentials = server_credentials(options_, alpn_);
        } catch (const std::exception& failure) {
            note(std::string("the identity was not reloaded: ") + failure.what());
            return;
        }
        for (const auto& runtime : runtimes_) {
            runtime->post([&each = *runtime, credentials] {
                const auto replaced = each.replace_credentials(credentials);
                if (!replaced) note("the identity was not reloaded: " + replaced.error().message());
            });
        }
        // Whoever read stdout may have gone since the start.
        try {
            print_fingerprints(credentials);
            std::fflush(stdout);
        } catch (const std::exception& failure) {
            note(std::string("the fingerprints cannot be told: ") + failure.what());
        }
    }

    const ServerOptions& options_;
    std::string_view alpn_;
    PersistentKey key_;
    std::atomic<Port> port_ = Port::kOurs;
    std::shared_ptr<WorkerGroup> group_;
    std::vector<std::unique_ptr<Runtime>> runtimes_;
};

}  // namespace

void serve(const ServerOptions& options, std::string_view alpn, const Settings& settings,
           const MakeHandler& make_handler) {
    Server server(options, alpn);
    server.listen(settings, make_handler);
    server.run();
}

}  // namespace stoq::tool
