/* BLAKE2b: the key, the choice of lanes, and the portable way, which has one. */
#include "blake2b_private.h"

#define NAME(x) mac_one_##x
#define TARGET
#define VECTOR uint64_t
#define LANES 1u
#define NARROWER NULL
#define LOAD(p) ((p)[0])
#define STORE(p, v) ((p)[0] = (v))
#define SET(x) ((uint64_t)(x))
#define ADD(a, b) ((a) + (b))
#define XOR(a, b) ((a) ^ (b))
#define ROTATE32(v) rotate(v, 32)
#define ROTATE24(v) rotate(v, 24)
#define ROTATE16(v) rotate(v, 16)
#define ROTATE63(v) rotate(v, 63)

static inline uint64_t rotate(uint64_t word, unsigned bits)
{
    return word >> bits | word << (64 - bits);
}

static inline void mac_one_words(uint64_t *words, const uint8_t *const *data, size_t at)
{
    const uint8_t *bytes = data[0] + at;
    uint64_t word = 0;
    for (unsigned byte = 0; byte < 8; byte++)
        word |= (uint64_t)bytes[byte] << 8 * byte;
    words[0] = word;
}

#define mac_one_lanes mac_portable
#include "blake2b_lanes.h"

void mac_begin(mac_key *made, const uint8_t *key)
{
    uint8_t block[BLAKE2B_BLOCK] = {0};
    const uint8_t *const data[1] = {block};
    memcpy(block, key, MAC_KEY_SIZE);
    memcpy(made->words, blake2b_start, sizeof made->words);
    made->words[0] ^= 0x01010000u ^ MAC_KEY_SIZE << 8 ^ MAC_SIZE;
    mac_one_compress(made->words, data, 0, BLAKE2B_BLOCK, 0);
}

void mac_some(const mac_lanes *widest, uint8_t (*out)[MAC_SIZE], const mac_key *const *keys, const uint8_t *const *data,
              size_t size, size_t count)
{
    const mac_key *all_keys[MOST_LANES];
    const uint8_t *all_data[MOST_LANES];
    uint8_t made[MOST_LANES][MAC_SIZE];
    while (count > 0) {
        const mac_lanes *way = widest;
        size_t used;
        while (way->narrower != NULL && way->narrower->lanes >= count)
            way = way->narrower;
        used = count < way->lanes ? count : way->lanes;
        /* Lanes that are left over do again what the first one does. */
        for (size_t lane = 0; lane < way->lanes; lane++) {
            all_keys[lane] = keys[lane < used ? lane : 0];
            all_data[lane] = data[lane < used ? lane : 0];
        }
        way->macs(made, all_keys, all_data, size);
        memcpy(out, made, used * MAC_SIZE);
        out += used;
        keys += used;
        data += used;
        count -= used;
    }
}
