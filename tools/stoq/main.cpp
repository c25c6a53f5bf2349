#include <csignal>
#include <exception>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "commands.h"
#include "exit_code.h"

namespace {

using stoq::tool::ExitCode;

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
        fmt::print(stderr, "stoq: {}\n", failure.what());
        return static_cast<int>(failure.code());
    } catch (const std::exception& failure) {
        fmt::print(stderr, "stoq: {}\n", failure.what());
        return static_cast<int>(ExitCode::kOther);
    }
}
