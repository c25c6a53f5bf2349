// Bounds-checked big-endian reading and writing over borrowed memory.
//
// Both cursors stop at the end of their span and report it: no call reads or writes past it, and
// a failed call moves nothing.
#pragma once

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstring>
#include <optional>

#include "stoq/types.h"

namespace stoq {

template <std::unsigned_integral T>
constexpr T load_big_endian(const std::uint8_t* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return std::endian::native == std::endian::little ? std::byteswap(value) : value;
}

template <std::unsigned_integral T>
constexpr void store_big_endian(std::uint8_t* to, T value) {
    const T ordered = std::endian::native == std::endian::little ? std::byteswap(value) : value;
    std::memcpy(to, &ordered, sizeof ordered);
}

class ByteReader {
public:
    explicit constexpr ByteReader(ByteView bytes)
        : begin_(bytes.data()), at_(begin_), end_(begin_ + bytes.size()) {}

    std::size_t remaining() const { return static_cast<std::size_t>(end_ - at_); }
    std::size_t consumed() const { return static_cast<std::size_t>(at_ - begin_); }
    bool empty() const { return at_ == end_; }
    const std::uint8_t* position() const { return at_; }
    ByteView rest() const { return {at_, remaining()}; }

    template <std::unsigned_integral T>
    std::optional<T> read() {
        if (remaining() < sizeof(T)) return std::nullopt;
        const T value = load_big_endian<T>(at_);
        at_ += sizeof(T);
        return value;
    }

    std::optional<ByteView> read_bytes(std::uint64_t length) {
        if (length > remaining()) return std::nullopt;
        const ByteView bytes(at_, static_cast<std::size_t>(length));
        at_ += length;
        return bytes;
    }

private:
    const std::uint8_t* begin_;
    const std::uint8_t* at_;
    const std::uint8_t* end_;
};

class ByteWriter {
public:
    explicit constexpr ByteWriter(Bytes bytes)
        : begin_(bytes.data()), at_(begin_), end_(begin_ + bytes.size()) {}

    std::size_t remaining() const { return static_cast<std::size_t>(end_ - at_); }
    std::size_t written() const { return static_cast<std::size_t>(at_ - begin_); }
    std::uint8_t* position() const { return at_; }
    ByteView written_bytes() const { return {begin_, written()}; }

    template <std::unsigned_integral T>
    bool write(T value) {
        if (remaining() < sizeof(T)) return false;
        store_big_endian(at_, value);
        at_ += sizeof(T);
        return true;
    }

    bool write_bytes(ByteView bytes) {
        if (bytes.size() > remaining()) return false;
        if (!bytes.empty()) std::memcpy(at_, bytes.data(), bytes.size());
        at_ += bytes.size();
        return true;
    }

    // Room that the caller fills later, or itself.
    std::optional<Bytes> reserve(std::size_t length) {
        if (length > remaining()) return std::nullopt;
        const Bytes room(at_, length);
        at_ += length;
        return room;
    }

    bool write_zeros(std::size_t length) {
        const auto room = reserve(length);
        if (room) std::fill(room->begin(), room->end(), std::uint8_t{0});
        return room.has_value();
    }

    // Forgets everything written after `written`, which was read from written() before.
    void rewind(std::size_t written) { at_ = begin_ + written; }

private:
    std::uint8_t* begin_;
    std::uint8_t* at_;
    std::uint8_t* end_;
};

}  // namespace stoq
