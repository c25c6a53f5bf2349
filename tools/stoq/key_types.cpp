#include "key_types.h"

#include <algorithm>
#include <array>

namespace stoq::tool {
namespace {

struct Kind {
    std::string_view name;
    KeyType type;
    bool is_falcon;
};

constexpr auto kKinds = std::to_array<Kind>({
    {"falcon1024", KeyType::kFalcon1024, true},
    {"p521_falcon1024", KeyType::kP521Falcon1024, true},
    {"falconpadded1024", KeyType::kFalconPadded1024, true},
    {"p521_falconpadded1024", KeyType::kP521FalconPadded1024, true},
    {"falcon512", KeyType::kFalcon512, true},
    {"p256_falcon512", KeyType::kP256Falcon512, true},
    {"falconpadded512", KeyType::kFalconPadded512, true},
    {"p256_falconpadded512", KeyType::kP256FalconPadded512, true},
    {"mldsa65", KeyType::kMlDsa65, false},
    {"mldsa87", KeyType::kMlDsa87, false},
    {"p256", KeyType::kP256, false},
    {"ed25519", KeyType::kEd25519, false},
});

}  // namespace

const std::string_view kDefaultKeyType = STOQ_WITH_FALCON ? "falcon1024" : "mldsa65";

std::vector<std::string> key_type_list() {
    std::vector<std::string> names;
    for (const Kind& kind : kKinds) {
        if (STOQ_WITH_FALCON || !kind.is_falcon) names.emplace_back(kind.name);
    }
    return names;
}

std::string key_type_names() {
    std::string text;
    for (const std::string& name : key_type_list()) text += (text.empty() ? "" : ", ") + name;
    return text;
}

KeyType key_type_of(std::string_view name) {
    return std::ranges::find(kKinds, name, &Kind::name)->type;
}

}  // namespace stoq::tool
