#include "files.h"

namespace interop {

void Files::request(std::int64_t stream) {
    const Url url = waiting_.back();
    waiting_.pop_back();
    outgoing_[stream].content = url.request();
    transfers_[stream].url = url;
}

void Files::receive(std::int64_t stream, std::string_view bytes, bool end) {
    received_ += bytes.size();
    Transfer& transfer = transfers_[stream];
    if (!options_.is_server || transfer.content.size() < kLongestRequest) transfer.content += bytes;
    if (!end) return;
    if (options_.is_server) {
        // No file: an end without bytes, which whoever compares files notices.
        outgoing_[stream].content = options_.answer(transfer.content).value_or("");
    } else {
        options_.save(transfer.url, transfer.content);
    }
    transfers_.erase(stream);
}

}  // namespace interop
