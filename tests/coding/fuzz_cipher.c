/* Random packets through ChaCha20, beside one too simple to be wrong. */
#include "fuzz.h"

#include "gf256.h"

#include <stdlib.h>
#include <string.h>

static uint32_t turned(uint32_t word, unsigned bits)
{
    return word << bits | word >> (32 - bits);
}

static uint32_t little(const uint8_t *bytes)
{
    uint32_t word = 0;
    for (unsigned byte = 0; byte < 4; byte++)
        word += (uint32_t)bytes[byte] << 8 * byte;
    return word;
}

/* RFC 8439, section 2.3, as it stands there. */
static void school_block(uint8_t *out, const uint8_t *key, uint32_t counter, const uint8_t *nonce)
{
    static const char start[] = "expand 32-byte k";
    static const unsigned mixed[8][4] = {{0, 4, 8, 12}, {1, 5, 9, 13}, {2, 6, 10, 14}, {3, 7, 11, 15},
                                         {0, 5, 10, 15}, {1, 6, 11, 12}, {2, 7, 8, 13}, {3, 4, 9, 14}};
    uint32_t before[16], v[16];
    for (unsigned i = 0; i < 16; i++)
        before[i] = v[i] = i < 4    ? little((const uint8_t *)start + 4 * i)
                           : i < 12 ? little(key + 4 * (i - 4))
                           : i < 13 ? counter
                                    : little(nonce + 4 * (i - 13));
    for (unsigned step = 0; step < 80; step++) {
        uint32_t *a = &v[mixed[step % 8][0]], *b = &v[mixed[step % 8][1]];
        uint32_t *c = &v[mixed[step % 8][2]], *d = &v[mixed[step % 8][3]];
        for (unsigned half = 0; half < 2; half++) {
            *a += *b;
            *d = turned(*d ^ *a, half ? 8 : 16);
            *c += *d;
            *b = turned(*b ^ *c, half ? 7 : 12);
        }
    }
    for (unsigned i = 0; i < 64; i++)
        out[i] = (uint8_t)((v[i / 4] + before[i / 4]) >> 8 * (i % 4));
}

void school_cipher(uint8_t *data, const uint8_t *key, const uint8_t *nonce, size_t size)
{
    uint8_t stream[64];
    for (size_t at = 0; at < size; at++) {
        if (at % 64 == 0)
            school_block(stream, key, (uint32_t)(1 + at / 64), nonce);
        data[at] ^= stream[at % 64];
    }
}

void fuzz_cipher(void)
{
    const size_t size = draw(2) ? draw(300) : 64 * draw(40) + draw(3);
    uint8_t *key = noise(CIPHER_KEY_SIZE), *nonce = noise(CIPHER_NONCE_SIZE), *data = noise(size);
    uint8_t *expected = block(size + 1);
    cipher_state state;
    memcpy(expected, data, size);
    cipher_begin(&state, key);
    cipher_packet(gf_current->cipher, &state, nonce, data, size);
    school_cipher(expected, key, nonce, size);
    require(memcmp(data, expected, size) == 0, "cipher");
    free(key);
    free(nonce);
    free(data);
    free(expected);
}
