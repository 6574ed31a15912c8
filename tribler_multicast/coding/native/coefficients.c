#include "coefficients.h"

#include <string.h>

#define GOLDEN UINT64_C(0x9E3779B97F4A7C15)
#define SELECT UINT64_C(0x5DEECE66D)

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* The first bytes of a stream, rounded up to words: out has room for 256. */
static void stream(uint8_t *out, uint64_t base, unsigned size)
{
    for (unsigned at = 0; at < size; at += 8) {
        base += GOLDEN;
        const uint64_t word = mix(base);
        for (unsigned byte = 0; byte < 8; byte++)
            out[at + byte] = (uint8_t)(word >> (8 * byte));
    }
}

void expand_seed(uint8_t *out, uint64_t seed, code parameters)
{
    const unsigned k = parameters.k, band = parameters.band;
    const uint64_t base = mix(seed + GOLDEN);
    const unsigned begin = (unsigned)((base >> 32) % k);
    uint8_t window[256], any = 0;
    stream(window, base, band);
    if (parameters.density < DENSE) {
        uint8_t chosen[256];
        stream(chosen, base ^ SELECT, band);
        for (unsigned j = 0; j < band; j++)
            window[j] = chosen[j] < parameters.density ? (window[j] ? window[j] : 1) : 0;
    }
    for (unsigned j = 0; j < band; j++)
        any |= window[j];
    if (band == k)
        memcpy(out, window, k);
    else {
        const unsigned first = k - begin < band ? k - begin : band;
        memset(out, 0, k);
        memcpy(out + begin, window, first);
        memcpy(out, window + first, band - first);
    }
    if (!any)
        out[begin] = 1;
}
