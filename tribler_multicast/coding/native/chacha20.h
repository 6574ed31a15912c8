/* ChaCha20 (RFC 8439): the blocks of a packet at once, each in a lane of a vector. Plain C99, no Python. */
#ifndef TRIBLER_MULTICAST_CHACHA20_H
#define TRIBLER_MULTICAST_CHACHA20_H

#include <stddef.h>
#include <stdint.h>

#define CIPHER_KEY_SIZE 32u
#define CIPHER_NONCE_SIZE 12u
#define CIPHER_BLOCK 64u
#define CIPHER_WORDS 16u

/* Constants, key, counter of the first block, nonce: what a block begins with. */
typedef struct {
    uint32_t words[CIPHER_WORDS];
} cipher_state;

/* One way to calculate. */
typedef struct cipher_lanes {
    size_t lanes;
    /* Adds the key stream to size bytes, as many blocks as there are lanes at most, and counts them all. */
    void (*apply)(cipher_state *state, uint8_t *data, size_t size);
    /* With fewer lanes; NULL: this has one. */
    const struct cipher_lanes *narrower;
} cipher_lanes;

extern const cipher_lanes cipher_portable;
/* What is best with no instructions in particular. */
#if defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 5)
#define CIPHER_FOUR
extern const cipher_lanes cipher_four;
#define CIPHER_ANYWHERE &cipher_four
#else
#define CIPHER_ANYWHERE &cipher_portable
#endif
#if (defined(__x86_64__) || defined(__i386__)) && (defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 5))
extern const cipher_lanes cipher_avx2;
extern const cipher_lanes cipher_avx512;
#endif

/* key has CIPHER_KEY_SIZE bytes. */
void cipher_begin(cipher_state *made, const uint8_t *key);

/* Encrypts, or decrypts, in place: from block 1 on, as the AEAD of RFC 8439 does. nonce has CIPHER_NONCE_SIZE bytes. */
void cipher_packet(const cipher_lanes *widest, const cipher_state *key, const uint8_t *nonce, uint8_t *data,
                   size_t size);

#endif
