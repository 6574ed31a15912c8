/* ChaCha20, four blocks at once, with the vectors of the compiler: SSE2, NEON, or whatever the processor has. */
#include "chacha20_private.h"

#ifdef CIPHER_FOUR

typedef uint32_t four __attribute__((vector_size(16)));

#define NAME(x) cipher_four_##x
#define TARGET
#define VECTOR four
#define LANES 4u
#define NARROWER &cipher_portable
#define SET(x) ((four){0, 0, 0, 0} + (x))
#define COUNT(x) ((four){0, 1, 2, 3} + (x))
#define ADD(a, b) ((a) + (b))
#define XOR(a, b) ((a) ^ (b))
#define ROTATE16(v) ((v) << 16 | (v) >> 16)
#define ROTATE12(v) ((v) << 12 | (v) >> 20)
#define ROTATE8(v) ((v) << 8 | (v) >> 24)
#define ROTATE7(v) ((v) << 7 | (v) >> 25)

static inline void cipher_four_spread(uint8_t *stream, const four *v)
{
    for (size_t word = 0; word < CIPHER_WORDS; word++)
        for (size_t lane = 0; lane < LANES; lane++)
            for (unsigned byte = 0; byte < 4; byte++)
                stream[CIPHER_BLOCK * lane + 4 * word + byte] = (uint8_t)(v[word][lane] >> 8 * byte);
}

#define cipher_four_lanes cipher_four
#include "chacha20_lanes.h"

#endif
