#include "pass_phrase.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "exit_code.h"
#include "unique_fd.h"

namespace stoq::tool {
namespace {

constexpr std::size_t kLongest = 1024;

}  // namespace

// Characters at one place in memory, wiped when they go. A zero follows them.
class PassPhrases::Text {
public:
    Text() = default;
    Text(const Text&) = delete;
    Text& operator=(const Text&) = delete;
    ~Text() { OPENSSL_cleanse(characters_.data(), characters_.size()); }

    char* data() { return characters_.data(); }
    // Up to the zero or the end of the line.
    std::string_view view() const {
        return {characters_.data(), std::strcspn(characters_.data(), "\r\n")};
    }

private:
    std::array<char, kLongest + 1> characters_{};
};

void PassPhrases::add_option(CLI::App& command, const std::string& option,
                             const std::string& description) {
    option_ = option;
    command.add_option(option, file_, description);
}

std::string_view PassPhrases::get(const std::string& key, bool is_new) {
    std::string_view text;
    if (!file_.empty()) {
        text = read_file();
    } else if (text = take_variable(); text.empty()) {
        text = ask(key, is_new);
    }
    if (text.empty()) {
        throw Failure(ExitCode::kLocalFile, fmt::format("the pass phrase for {} is empty", key));
    }
    return text;
}

std::string_view PassPhrases::read_file() {
    auto& told = told_[""];
    told = std::make_shared<Text>();
    const UniqueFd file(::open(file_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) throw file_failure("read the pass phrase in", file_, errno);
    std::size_t length = 0;
    while (length < kLongest) {
        const ssize_t got = ::read(file.get(), told->data() + length, kLongest - length);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw file_failure("read the pass phrase in", file_, errno);
        if (got == 0) break;
        length += static_cast<std::size_t>(got);
    }
    // Cut off, it would be another.
    if (told->view().size() == kLongest) {
        throw Failure(ExitCode::kLocalFile,
                      fmt::format("the first line of {} is too long for a pass phrase", file_));
    }
    return told->view();
}

std::string_view PassPhrases::take_variable() {
    char* const value = std::getenv(variable_);
    if (value != nullptr && *value != '\0') {
        const std::size_t length = std::strlen(value);
        if (length >= kLongest) {
            throw Failure(ExitCode::kLocalFile, fmt::format("{} is too long", variable_));
        }
        auto& told = told_[""];
        told = std::make_shared<Text>();
        std::memcpy(told->data(), value, length);
        OPENSSL_cleanse(value, length);
        ::unsetenv(variable_);
    }
    const auto told = told_.find("");
    return told == told_.end() ? std::string_view() : told->second->view();
}

std::string_view PassPhrases::ask(const std::string& key, bool is_new) {
    auto& told = told_[key];
    if (told) return told->view();
    const UniqueFd terminal(::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!terminal) {
        told_.erase(key);
        throw Failure(ExitCode::kLocalFile,
                      fmt::format("{} needs a pass phrase, and there is no terminal to ask at: "
                                  "{} FILE or {} tells it",
                                  key, option_, variable_));
    }
    const auto typed = std::make_shared<Text>();
    const std::string prompt = fmt::format("Pass phrase for {}: ", key);
    const int failed = EVP_read_pw_string_min(typed->data(), 1, static_cast<int>(kLongest),
                                              prompt.c_str(), is_new ? 1 : 0);
    if (failed != 0) {
        told_.erase(key);
        throw Failure(ExitCode::kLocalFile, fmt::format("no pass phrase for {} was told", key));
    }
    told = typed;
    return told->view();
}

}  // namespace stoq::tool
