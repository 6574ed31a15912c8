/* What the files about ChaCha20 share. */
#ifndef TRIBLER_MULTICAST_CHACHA20_PRIVATE_H
#define TRIBLER_MULTICAST_CHACHA20_PRIVATE_H

#include "chacha20.h"

#include <string.h>

#define CIPHER_COUNTER 12u
#define CIPHER_NONCE 13u

/* The bytes of a key stream, and what they are added to. */
static inline void cipher_add(uint8_t *data, const uint8_t *stream, size_t size)
{
    size_t at = 0;
    for (; size - at >= 8; at += 8) {
        uint64_t word, other;
        memcpy(&word, data + at, 8);
        memcpy(&other, stream + at, 8);
        word ^= other;
        memcpy(data + at, &word, 8);
    }
    for (; at < size; at++)
        data[at] ^= stream[at];
}

#endif
