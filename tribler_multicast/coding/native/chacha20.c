/* ChaCha20: the key, the choice of lanes, and the portable way, which has one. */
#include "chacha20_private.h"

#define NAME(x) cipher_one_##x
#define TARGET
#define VECTOR uint32_t
#define LANES 1u
#define NARROWER NULL
#define SET(x) (x)
#define COUNT(x) (x)
#define ADD(a, b) ((a) + (b))
#define XOR(a, b) ((a) ^ (b))
#define ROTATE16(v) rotate(v, 16)
#define ROTATE12(v) rotate(v, 12)
#define ROTATE8(v) rotate(v, 8)
#define ROTATE7(v) rotate(v, 7)

static inline uint32_t rotate(uint32_t word, unsigned bits)
{
    return word << bits | word >> (32 - bits);
}

static inline void cipher_one_spread(uint8_t *stream, const uint32_t *words)
{
    for (size_t word = 0; word < CIPHER_WORDS; word++)
        for (unsigned byte = 0; byte < 4; byte++)
            stream[4 * word + byte] = (uint8_t)(words[word] >> 8 * byte);
}

#define cipher_one_lanes cipher_portable
#include "chacha20_lanes.h"

static uint32_t get_little(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

void cipher_begin(cipher_state *made, const uint8_t *key)
{
    /* "expand 32-byte k" */
    static const uint32_t start[4] = {0x61707865u, 0x3320646Eu, 0x79622D32u, 0x6B206574u};
    memset(made, 0, sizeof *made);
    memcpy(made->words, start, sizeof start);
    for (unsigned word = 0; word < CIPHER_KEY_SIZE / 4; word++)
        made->words[4 + word] = get_little(key + 4 * word);
}

void cipher_packet(const cipher_lanes *widest, const cipher_state *key, const uint8_t *nonce, uint8_t *data,
                   size_t size)
{
    cipher_state state = *key;
    state.words[CIPHER_COUNTER] = 1;
    for (unsigned word = 0; word < CIPHER_NONCE_SIZE / 4; word++)
        state.words[CIPHER_NONCE + word] = get_little(nonce + 4 * word);
    while (size > 0) {
        const cipher_lanes *way = widest;
        size_t some;
        while (way->narrower != NULL && way->narrower->lanes * CIPHER_BLOCK >= size)
            way = way->narrower;
        some = size < way->lanes * CIPHER_BLOCK ? size : way->lanes * CIPHER_BLOCK;
        way->apply(&state, data, some);
        data += some;
        size -= some;
    }
}
