// Chooses the socket of a port's group by the connection ID, so that a connection stays with its
// worker when the client's address changes. Where nothing can be chosen, the kernel goes by the
// hash of the addresses, as without this program; the worker that gets a datagram of another then
// hands it over.
//
// Loaded and attached by src/io/udp/port_selector.cpp.
#include <linux/bpf.h>
#include <linux/udp.h>

#include <bpf/bpf_helpers.h>

#include "io/udp/selection.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct StoqSelection);
} selection SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
    __uint(max_entries, kStoqMaxWorkers);
    __type(key, __u32);
    __type(value, __u64);
} workers SEC(".maps");

enum { kLongHeader = 0x80, kVersion1 = 1, kVersion2 = 0x6b3343cf };

// Flags, version, length, and the longest ID.
struct LongHeader {
    __u8 flags;
    __u8 version[4];
    __u8 id_length;
    __u8 id[kStoqMaxIdLength];
};

// RFC 9000 section 17.2 and RFC 9369 section 3.2: the type is in two bits, numbered anew by each
// version.
static __always_inline int is_handshake(const struct LongHeader* header) {
    const __u32 version = (__u32)header->version[0] << 24 | (__u32)header->version[1] << 16 |
                          (__u32)header->version[2] << 8 | header->version[3];
    const __u8 type = (header->flags >> 4) & 3;
    return (version == kVersion1 && type == 2) || (version == kVersion2 && type == 3);
}

static __always_inline int select_by_id(struct sk_reuseport_md* context,
                                        const struct StoqSelection* chosen, const __u8* id) {
    // Copied with zeros behind it, as the mask wants it. The last octet is behind the others.
    __u8 padded[kStoqMaxIdLength] = {};
    __u8 octet = 0;
    for (__u32 i = 0; i < kStoqMaxIdLength; ++i) {
        if (i + 1 < chosen->id_length) padded[i] = id[i];
        if (i + 1 == chosen->id_length) octet = id[i];
    }
    __u32 worker = octet ^ stoq_worker_mask(&chosen->key, padded, chosen->id_length - 1);
    return bpf_sk_select_reuseport(context, &workers, &worker, 0) == 0;
}

// What does not carry an ID of ours opens a connection, or belongs to a handshake whose client
// still uses the ID of its own choice: those of one address go to one of the present workers.
static __always_inline void select_by_address(struct sk_reuseport_md* context,
                                              const struct StoqSelection* chosen) {
    if (chosen->count == 0) return;
    __u32 worker = chosen->first + context->hash % chosen->count;
    bpf_sk_select_reuseport(context, &workers, &worker, 0);
}

SEC("sk_reuseport")
int select_worker(struct sk_reuseport_md* context) {
    const __u32 zero = 0;
    const struct StoqSelection* chosen = bpf_map_lookup_elem(&selection, &zero);
    if (!chosen) return SK_PASS;
    // Every packet of QUIC is longer than this: an ID is followed by 20 bytes that protection
    // needs.
    struct LongHeader header;
    if (bpf_skb_load_bytes(context, sizeof(struct udphdr), &header, sizeof header) != 0) {
        select_by_address(context, chosen);
        return SK_PASS;
    }
    int selected = 0;
    if (!(header.flags & kLongHeader)) {
        selected = select_by_id(context, chosen, (const __u8*)&header + 1);
    } else if (header.id_length == chosen->id_length && is_handshake(&header)) {
        selected = select_by_id(context, chosen, header.id);
    }
    if (!selected) select_by_address(context, chosen);
    return SK_PASS;
}
