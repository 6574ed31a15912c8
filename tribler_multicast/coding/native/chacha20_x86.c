/* ChaCha20 on x86: sixteen blocks at once with AVX-512, eight with AVX2. */
#include "chacha20_private.h"

#if (defined(__x86_64__) || defined(__i386__)) && (defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 5))

#include <immintrin.h>

#define NAME(x) cipher_avx2_##x
#define TARGET __attribute__((target("avx2")))
#define VECTOR __m256i
#define LANES 8u
#define NARROWER &cipher_portable
#define SET(x) _mm256_set1_epi32((int)(x))
#define COUNT(x) _mm256_add_epi32(SET(x), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
#define ADD(a, b) _mm256_add_epi32(a, b)
#define XOR(a, b) _mm256_xor_si256(a, b)
#define ROTATE16(v) cipher_avx2_bytes(v, 2)
#define ROTATE12(v) _mm256_or_si256(_mm256_slli_epi32(v, 12), _mm256_srli_epi32(v, 20))
#define ROTATE8(v) cipher_avx2_bytes(v, 1)
#define ROTATE7(v) _mm256_or_si256(_mm256_slli_epi32(v, 7), _mm256_srli_epi32(v, 25))

/* Each word turned to the left by whole bytes. */
TARGET static inline __m256i cipher_avx2_bytes(__m256i vector, int bytes)
{
    const __m256i two = _mm256_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13, 2, 3, 0, 1, 6, 7, 4, 5,
                                         10, 11, 8, 9, 14, 15, 12, 13);
    const __m256i one = _mm256_setr_epi8(3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14, 3, 0, 1, 2, 7, 4, 5, 6,
                                         11, 8, 9, 10, 15, 12, 13, 14);
    return _mm256_shuffle_epi8(vector, bytes == 2 ? two : one);
}

/* A quarter of every fourth block. */
TARGET static inline void cipher_avx2_store(uint8_t *to, __m256i vector)
{
    _mm_storeu_si128((__m128i *)(void *)to, _mm256_castsi256_si128(vector));
    _mm_storeu_si128((__m128i *)(void *)(to + 4 * CIPHER_BLOCK), _mm256_extracti128_si256(vector, 1));
}

/* Four words of each block lie beside each other after two rounds of interleaving: of blocks 0, 4, 8... in one vector,
   of 1, 5, 9... in the next. */
TARGET static inline void cipher_avx2_spread(uint8_t *stream, const __m256i *v)
{
    for (size_t four = 0; four < CIPHER_WORDS; four += 4) {
        const __m256i low = _mm256_unpacklo_epi32(v[four], v[four + 1]);
        const __m256i high = _mm256_unpackhi_epi32(v[four], v[four + 1]);
        const __m256i next_low = _mm256_unpacklo_epi32(v[four + 2], v[four + 3]);
        const __m256i next_high = _mm256_unpackhi_epi32(v[four + 2], v[four + 3]);
        uint8_t *to = stream + 4 * four;
        cipher_avx2_store(to, _mm256_unpacklo_epi64(low, next_low));
        cipher_avx2_store(to + CIPHER_BLOCK, _mm256_unpackhi_epi64(low, next_low));
        cipher_avx2_store(to + 2 * CIPHER_BLOCK, _mm256_unpacklo_epi64(high, next_high));
        cipher_avx2_store(to + 3 * CIPHER_BLOCK, _mm256_unpackhi_epi64(high, next_high));
    }
}

#define cipher_avx2_lanes cipher_avx2
#include "chacha20_lanes.h"

#undef NAME
#undef TARGET
#undef VECTOR
#undef LANES
#undef NARROWER
#undef SET
#undef COUNT
#undef ADD
#undef XOR
#undef ROTATE16
#undef ROTATE12
#undef ROTATE8
#undef ROTATE7

#define NAME(x) cipher_avx512_##x
#define TARGET __attribute__((target("avx512f")))
#define VECTOR __m512i
#define LANES 16u
#define NARROWER &cipher_avx2
#define SET(x) _mm512_set1_epi32((int)(x))
#define COUNT(x) _mm512_add_epi32(SET(x), _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#define ADD(a, b) _mm512_add_epi32(a, b)
#define XOR(a, b) _mm512_xor_si512(a, b)
#define ROTATE16(v) _mm512_rol_epi32(v, 16)
#define ROTATE12(v) _mm512_rol_epi32(v, 12)
#define ROTATE8(v) _mm512_rol_epi32(v, 8)
#define ROTATE7(v) _mm512_rol_epi32(v, 7)

TARGET static inline void cipher_avx512_store(uint8_t *to, __m512i vector)
{
    _mm_storeu_si128((__m128i *)(void *)to, _mm512_castsi512_si128(vector));
    _mm_storeu_si128((__m128i *)(void *)(to + 4 * CIPHER_BLOCK), _mm512_extracti32x4_epi32(vector, 1));
    _mm_storeu_si128((__m128i *)(void *)(to + 8 * CIPHER_BLOCK), _mm512_extracti32x4_epi32(vector, 2));
    _mm_storeu_si128((__m128i *)(void *)(to + 12 * CIPHER_BLOCK), _mm512_extracti32x4_epi32(vector, 3));
}

/* Four words of each block lie beside each other after two rounds of interleaving: of blocks 0, 4, 8... in one vector,
   of 1, 5, 9... in the next. */
TARGET static inline void cipher_avx512_spread(uint8_t *stream, const __m512i *v)
{
    for (size_t four = 0; four < CIPHER_WORDS; four += 4) {
        const __m512i low = _mm512_unpacklo_epi32(v[four], v[four + 1]);
        const __m512i high = _mm512_unpackhi_epi32(v[four], v[four + 1]);
        const __m512i next_low = _mm512_unpacklo_epi32(v[four + 2], v[four + 3]);
        const __m512i next_high = _mm512_unpackhi_epi32(v[four + 2], v[four + 3]);
        uint8_t *to = stream + 4 * four;
        cipher_avx512_store(to, _mm512_unpacklo_epi64(low, next_low));
        cipher_avx512_store(to + CIPHER_BLOCK, _mm512_unpackhi_epi64(low, next_low));
        cipher_avx512_store(to + 2 * CIPHER_BLOCK, _mm512_unpacklo_epi64(high, next_high));
        cipher_avx512_store(to + 3 * CIPHER_BLOCK, _mm512_unpackhi_epi64(high, next_high));
    }
}

#define cipher_avx512_lanes cipher_avx512
#include "chacha20_lanes.h"

#endif
