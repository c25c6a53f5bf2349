#include <csignal>
#include <exception>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include "commands.h"
#include "exit_code.h"

namespace {

using stoq::tool::ExitCode;

// "--name=": CLI11 would take the argument that follows for the value.
void refuse_empty_values(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--") return;
        if (!argument.starts_with("--") || argument.find('=') != argument.size() - 1) continue;
        throw stoq::tool::Failure(
            ExitCode::kUsage,
            std::string(argument.substr(0, argument.size() - 1)) + ": the value is empty");
    }
}

int run(int argc, char** argv) {
    CLI::App program("STOQ moves files over QUIC.", "stoq");
    program.require_subcommand(1);
    program.footer(std::string(stoq::tool::exit_code_help()));
    stoq::tool::add_keygen(program);
    stoq::tool::add_serve(program);
    stoq::tool::add_get(program);
    stoq::tool::add_put(program);
    stoq::tool::add_perf(program);
    stoq::tool::add_doctor(program);
    refuse_empty_values(argc, argv);
    try {
        program.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int result = program.exit(error);
        return result == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    try {
        return run(argc, argv);
    } catch (const stoq::tool::Failure& failure) {
        stoq::tool::say_on_stderr(std::string("stoq: ") + failure.what());
        return static_cast<int>(failure.code());
    } catch (const std::exception& failure) {
        stoq::tool::say_on_stderr(std::string("stoq: ") + failure.what());
        return static_cast<int>(ExitCode::kOther);
    }
}
