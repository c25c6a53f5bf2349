// stoq serve: the file server.
#include <map>
#include <memory>
#include <tuple>

#include <CLI/CLI.hpp>

#include "commands.h"
#include "file_request.h"
#include "server.h"

namespace stoq::tool {
namespace {

struct ServeOptions {
    ServerOptions server;
    std::string root;
    bool writable = false;
    bool allow_overwrite = false;
    bool quiet = false;
};

class FileServer {
public:
    FileServer(Runtime& runtime, const RootDirectory& root, const ServeOptions& options)
        : context_{runtime,      workers_, root, options.writable, options.allow_overwrite,
                   options.quiet} {}

    void on_event(const Event& event) {
        std::visit([this](const auto& each) { on(each); }, event);
    }

private:
    using Key = std::tuple<std::uint32_t, std::uint32_t, std::uint64_t>;

    static Key key(ConnectionHandle connection, StreamId stream) {
        return {connection.index, connection.generation, stream.value()};
    }

    void on(const StreamOpened& event) {
        if (event.stream.is_unidirectional()) return;
        requests_.emplace(key(event.connection, event.stream),
                          std::make_shared<FileRequest>(context_, event.connection, event.stream));
    }
    void on(const StreamReadable& event) {
        if (const auto request = find(event.connection, event.stream)) {
            request->on_readable();
            forget_if_done(event.connection, event.stream);
        } else {
            drop_input(event.connection, event.stream);
        }
    }
    void on(const StreamWritable& event) {
        if (const auto request = find(event.connection, event.stream)) {
            request->on_writable();
            forget_if_done(event.connection, event.stream);
        }
    }
    void on(const StreamReset& event) { abandon(event.connection, event.stream); }
    void on(const StreamStopped& event) { abandon(event.connection, event.stream); }
    void on(const StreamDelivered& event) { forget_if_done(event.connection, event.stream); }
    void on(const ConnectionClosed& event) {
        const ConnectionHandle closed = event.connection;
        auto at = requests_.lower_bound(key(closed, StreamId(0)));
        while (at != requests_.end() && std::get<0>(at->first) == closed.index &&
               std::get<1>(at->first) == closed.generation) {
            at->second->abandon();
            at = requests_.erase(at);
        }
    }
    void on(const auto&) {}

    std::shared_ptr<FileRequest> find(ConnectionHandle connection, StreamId stream) const {
        const auto at = requests_.find(key(connection, stream));
        return at == requests_.end() ? nullptr : at->second;
    }
    void abandon(ConnectionHandle connection, StreamId stream) {
        if (const auto request = find(connection, stream)) request->abandon();
        forget_if_done(connection, stream);
    }
    // Bytes behind a request that was answered.
    void drop_input(ConnectionHandle connection, StreamId stream) {
        while (const auto view = context_.runtime.endpoint().peek(connection, stream)) {
            if (view->bytes.empty() && !view->finished) return;
            const bool last = view->finished;
            const auto consumed =
                context_.runtime.endpoint().consume(connection, stream, view->bytes.size());
            if (!consumed || last) return;
        }
    }
    void forget_if_done(ConnectionHandle connection, StreamId stream) {
        const auto at = requests_.find(key(connection, stream));
        if (at != requests_.end() && at->second->done()) requests_.erase(at);
    }

    FileServerContext context_;
    std::map<Key, std::shared_ptr<FileRequest>> requests_;
    // Last: a job that runs tells the requests of its end.
    Workers workers_;
};

void run_serve(const ServeOptions& options) {
    const RootDirectory root(options.root);
    Settings settings;
    // One who vanished in the middle of an upload must not keep the file locked for long.
    settings.idle_timeout = std::chrono::seconds(10);
    settings.max_unidirectional_streams = 0;
    // Each holds some megabytes of a file on its way.
    settings.max_bidirectional_streams = 16;
    serve(options.server, kFileProtocol, settings, [&](Runtime& runtime) {
        return [server = std::make_unique<FileServer>(runtime, root, options)](const Event& event) {
            server->on_event(event);
        };
    });
}

}  // namespace

void add_serve(CLI::App& program) {
    auto options = std::make_shared<ServeOptions>();
    CLI::App* const command = program.add_subcommand("serve", "serve the files of a directory");
    add_server_options(*command, options->server);
    command->add_option("--root", options->root, "the directory to serve")->required();
    command->add_flag("--writable", options->writable, "take files that clients send");
    command->add_flag("--allow-overwrite", options->allow_overwrite,
                      "let clients replace files (with --writable)");
    command->add_flag("--quiet", options->quiet, "no line on stderr for each request");
    command->callback([options] { run_serve(*options); });
}

}  // namespace stoq::tool
