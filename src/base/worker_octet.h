/* The last octet of a connection ID that tells which of the endpoints behind one port it is of.
 *
 * C, because the program in the kernel that chooses the socket (bpf/) is compiled from it too. The
 * octet is the number of the worker under a mask that depends on the rest of the connection ID and
 * on a secret: whoever does not know the secret learns nothing from it, least of all which IDs
 * belong together (RFC 9000 section 5.1). The mask is SipHash-2-4. */
#pragma once

#include <linux/types.h>

/* The longest connection ID (RFC 9000 section 17.2). */
enum { kStoqMaxIdLength = 20 };

struct StoqWorkerKey {
    __u64 first;
    __u64 second;
};

struct StoqSipState {
    __u64 a, b, c, d;
};

static inline __u64 stoq_rotate(__u64 value, int bits) {
    return (value << bits) | (value >> (64 - bits));
}

static inline void stoq_sip_round(struct StoqSipState* state) {
    state->a += state->b;
    state->c += state->d;
    state->b = stoq_rotate(state->b, 13) ^ state->a;
    state->d = stoq_rotate(state->d, 16) ^ state->c;
    state->a = stoq_rotate(state->a, 32);
    state->c += state->b;
    state->a += state->d;
    state->b = stoq_rotate(state->b, 17) ^ state->c;
    state->d = stoq_rotate(state->d, 21) ^ state->a;
    state->c = stoq_rotate(state->c, 32);
}

static inline void stoq_sip_word(struct StoqSipState* state, __u64 word) {
    state->d ^= word;
    stoq_sip_round(state);
    stoq_sip_round(state);
    state->a ^= word;
}

static inline __u64 stoq_little_endian(const __u8* bytes, int count) {
    __u64 word = 0;
    for (int i = 0; i < count; ++i) word |= (__u64)bytes[i] << (8 * i);
    return word;
}

/* `id` has kStoqMaxIdLength bytes, of which the first `used` are those before the octet and the
 * others zero. */
static inline __u8 stoq_worker_mask(const struct StoqWorkerKey* key, const __u8* id, __u32 used) {
    struct StoqSipState state = {
        key->first ^ 0x736f6d6570736575ULL, key->second ^ 0x646f72616e646f6dULL,
        key->first ^ 0x6c7967656e657261ULL, key->second ^ 0x7465646279746573ULL};
    stoq_sip_word(&state, stoq_little_endian(id, 8));
    stoq_sip_word(&state, stoq_little_endian(id + 8, 8));
    stoq_sip_word(&state, stoq_little_endian(id + 16, 4) | (__u64)used << 56);
    state.c ^= 0xff;
    for (int i = 0; i < 4; ++i) stoq_sip_round(&state);
    return (__u8)(state.a ^ state.b ^ state.c ^ state.d);
}
