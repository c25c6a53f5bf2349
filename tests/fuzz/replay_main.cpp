// Runs a fuzz target without a fuzzer: over every file of a corpus directory, then over mutations
// of them that are the same on every run. Keeps what the fuzzer once found from coming back.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

constexpr std::size_t kUsualMutations = 20'000;
constexpr std::size_t kLargestInput = 64 * 1024;
constexpr std::uint32_t kSeed = 0x5eed;

// Inputs in the order of their names, so that a run can be repeated.
std::vector<Input> load(const std::filesystem::path& directory) {
    std::vector<std::filesystem::path> names;
    std::error_code error;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, error)) {
        if (entry.is_regular_file()) {
            names.push_back(entry.path());
        }
    }
    std::sort(names.begin(), names.end());
    std::vector<Input> inputs;
    for (const auto& name : names) {
        std::ifstream file(name, std::ios::binary);
        inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    return inputs;
}

class Mutator {
public:
    explicit Mutator(const std::vector<Input>& inputs) : inputs_(inputs) {}

    Input next() {
        Input input = inputs_[below(inputs_.size())];
        for (std::size_t steps = 1 + below(4); steps > 0; --steps) {
            mutate(input);
        }
        input.resize(std::min(input.size(), kLargestInput));
        return input;
    }

private:
    std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }
    std::uint8_t byte() { return static_cast<std::uint8_t>(random_()); }

    void mutate(Input& input) {
        const std::size_t at = below(input.size() + 1);
        const auto position = input.begin() + static_cast<std::ptrdiff_t>(at);
        switch (below(6)) {
            case 0:  // flip a bit
                if (at < input.size()) {
                    input[at] = static_cast<std::uint8_t>(input[at] ^ (1u << below(8)));
                }
                break;
            case 1:  // another byte
                if (at < input.size()) {
                    input[at] = byte();
                }
                break;
            case 2:  // a byte more
                input.insert(position, byte());
                break;
            case 3:  // cut short
                input.resize(at);
                break;
            case 4:  // a stretch less
                input.erase(position,
                            position + static_cast<std::ptrdiff_t>(below(input.size() - at + 1)));
                break;
            default: {  // the end of another input
                const Input& other = inputs_[below(inputs_.size())];
                const std::size_t from = below(other.size() + 1);
                input.resize(at);
                input.insert(input.end(), other.begin() + static_cast<std::ptrdiff_t>(from),
                             other.end());
            }
        }
    }

    const std::vector<Input>& inputs_;
    std::mt19937 random_{kSeed};
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2 || argc > 3) {
        std::fprintf(stderr, "usage: %s CORPUS-DIRECTORY [MUTATIONS]\n", argv[0]);
        return 2;
    }
    const std::size_t mutations = argc == 3 ? std::strtoul(argv[2], nullptr, 10) : kUsualMutations;
    std::vector<Input> inputs = load(argv[1]);
    const std::size_t files = inputs.size();
    for (const Input& input : inputs) {
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
    inputs.emplace_back();  // an empty corpus still has something to mutate
    Mutator mutator(inputs);
    for (std::size_t i = 0; i < mutations; ++i) {
        const Input input = mutator.next();
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
    std::printf("replayed %zu files and %zu mutations (seed %#x)\n", files, mutations, kSeed);
    return 0;
}
