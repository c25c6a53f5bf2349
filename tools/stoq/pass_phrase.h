// Pass phrases of private keys: from a file, from the environment, or asked for on the terminal.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace stoq::tool {

// What was told once is kept, so that a server can read its keys anew, and is wiped at the end.
class PassPhrases {
public:
    // `variable` is the environment variable; its value is wiped there when it is taken.
    explicit PassPhrases(const char* variable) : variable_(variable) {}

    // Adds the option that names a file, of which the first line counts.
    void add_option(CLI::App& command, const std::string& option, const std::string& description);

    // The pass phrase that opens `key`, or that is to protect it (then a person types it twice).
    // Never empty; valid until the next call for the same key. Throws Failure (kLocalFile) when
    // there is none: no file, no variable and nobody at a terminal.
    std::string_view to_open(const std::string& key) { return get(key, /*is_new=*/false); }
    std::string_view to_protect(const std::string& key) { return get(key, /*is_new=*/true); }

private:
    class Text;

    std::string_view get(const std::string& key, bool is_new);
    std::string_view read_file();
    std::string_view take_variable();
    std::string_view ask(const std::string& key, bool is_new);

    const char* variable_;
    std::string file_;
    std::string option_;
    // By the key that it was asked for; "" for what holds for all keys. Not copied: see Text.
    std::map<std::string, std::shared_ptr<Text>> told_;
};

}  // namespace stoq::tool
