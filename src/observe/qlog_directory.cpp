#include "observe/qlog_directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "observe/qlog_names.h"
#include "observe/qlog_writer.h"

namespace stoq::observe {
namespace {

constexpr int kMaxNames = 100;
constexpr mode_t kMode = 0640;  // it says who talked to whom

class FileSink final : public ByteSink {
public:
    explicit FileSink(int descriptor) : descriptor_(descriptor) {}
    ~FileSink() override { ::close(descriptor_); }
    FileSink(const FileSink&) = delete;
    FileSink& operator=(const FileSink&) = delete;

    // On an error, such as a full disk, the rest of the log is lost and the connection goes on.
    void write(std::string_view bytes) override {
        while (!bytes.empty()) {
            const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
            if (written < 0 && errno == EINTR) continue;
            if (written <= 0) return;
            bytes.remove_prefix(static_cast<std::size_t>(written));
        }
    }

private:
    int descriptor_;
};

std::string file_name(const EventContext& context, int attempt) {
    std::string name;
    for (const std::uint8_t byte : context.connection) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        name += kDigits[byte >> 4];
        name += kDigits[byte & 0xf];
    }
    name += '_';
    name += qlog::name_of(context.role);
    if (attempt != 0) name += '-' + std::to_string(attempt);
    return name += ".sqlog";
}

// Negative when none could be made.
int create_file(const std::string& directory, const EventContext& context) {
    for (int attempt = 0; attempt < kMaxNames; ++attempt) {
        const std::string path = directory + '/' + file_name(context, attempt);
        const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kMode);
        if (file >= 0 || errno != EEXIST) return file;
    }
    return -1;
}

bool is_last(const Event& event) {
    const auto* update = std::get_if<ConnectionStateUpdated>(&event);
    return update != nullptr && update->new_state == ConnectionState::kClosed;
}

}  // namespace

struct QlogDirectory::Trace {
    explicit Trace(int descriptor) : file(descriptor), writer(file) {}

    FileSink file;
    QlogWriter writer;
};

QlogDirectory::QlogDirectory(std::string directory, std::size_t max_open)
    : directory_(std::move(directory)), max_open_(max_open) {}

QlogDirectory::~QlogDirectory() = default;

QlogDirectory::Key QlogDirectory::key_of(const EventContext& context) {
    Key key{};
    key[0] = static_cast<std::uint8_t>(context.connection.size());
    key[1] = static_cast<std::uint8_t>(context.role);
    std::copy(context.connection.begin(), context.connection.end(), key.begin() + 2);
    return key;
}

void QlogDirectory::on_event(const EventContext& context, const Event& event) {
    if (context.connection.empty()) return;
    const Key key = key_of(context);
    Trace* trace = find_or_open(context, key);
    if (trace == nullptr) {
        ++skipped_;
        return;
    }
    trace->writer.on_event(context, event);
    if (is_last(event)) traces_.erase(key);
}

QlogDirectory::Trace* QlogDirectory::find_or_open(const EventContext& context, const Key& key) {
    const auto known = traces_.find(key);
    if (known != traces_.end()) return known->second.get();
    if (traces_.size() >= max_open_) return nullptr;
    const int file = create_file(directory_, context);
    if (file < 0) return nullptr;
    return traces_.emplace(key, std::make_unique<Trace>(file)).first->second.get();
}

}  // namespace stoq::observe
