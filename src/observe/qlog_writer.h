// QlogWriter: one connection's events as a qlog trace in JSON text sequences (RFC 7464).
#pragma once

#include <string>
#include <string_view>

#include "observe/event_sink.h"

namespace stoq::observe {

// Where a trace goes. A sink that cannot write drops what it is given.
class ByteSink {
public:
    virtual ~ByteSink() = default;
    virtual void write(std::string_view bytes) = 0;
};

// The first event starts the trace: it names the connection and the role, and time counts from it.
class QlogWriter final : public EventSink {
public:
    // Records are gathered up to this many bytes, plus one record.
    static constexpr std::size_t kBufferSize = 32 * 1024;

    // `out` has to outlive the writer.
    explicit QlogWriter(ByteSink& out) : out_(out) {}
    ~QlogWriter() override { flush(); }
    QlogWriter(const QlogWriter&) = delete;
    QlogWriter& operator=(const QlogWriter&) = delete;

    void on_event(const EventContext& context, const Event& event) override;
    // Hands everything to the byte sink.
    void flush();

private:
    void write_header(const EventContext& context);

    ByteSink& out_;
    std::string buffer_;
    Instant start_{};
    bool started_ = false;
};

}  // namespace stoq::observe
