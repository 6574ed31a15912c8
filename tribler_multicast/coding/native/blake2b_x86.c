/* BLAKE2b on x86: eight packets at once with AVX-512, four with AVX2. */
#include "blake2b_private.h"

#if (defined(__x86_64__) || defined(__i386__)) && (defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 5))

#include <immintrin.h>

#define NAME(x) mac_avx2_##x
#define TARGET __attribute__((target("avx2")))
#define VECTOR __m256i
#define LANES 4u
#define NARROWER &mac_portable
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), v)
#define SET(x) _mm256_set1_epi64x((long long)(x))
#define ADD(a, b) _mm256_add_epi64(a, b)
#define XOR(a, b) _mm256_xor_si256(a, b)
#define ROTATE32(v) _mm256_shuffle_epi32(v, 0xB1)
#define ROTATE24(v) mac_avx2_bytes(v, 3)
#define ROTATE16(v) mac_avx2_bytes(v, 2)
#define ROTATE63(v) mac_avx2_left(v)

/* Each word turned to the right by whole bytes. */
TARGET static inline __m256i mac_avx2_bytes(__m256i vector, int bytes)
{
    const __m256i three = _mm256_setr_epi8(3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10, 3, 4, 5, 6, 7, 0, 1, 2,
                                           11, 12, 13, 14, 15, 8, 9, 10);
    const __m256i two = _mm256_setr_epi8(2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9, 2, 3, 4, 5, 6, 7, 0, 1,
                                         10, 11, 12, 13, 14, 15, 8, 9);
    return _mm256_shuffle_epi8(vector, bytes == 3 ? three : two);
}

/* By one bit to the left. */
TARGET static inline __m256i mac_avx2_left(__m256i vector)
{
    return _mm256_xor_si256(_mm256_add_epi64(vector, vector), _mm256_srli_epi64(vector, 63));
}

TARGET static inline void mac_avx2_words(__m256i *words, const uint8_t *const *data, size_t at)
{
    const __m256i a = LOAD(data[0] + at), b = LOAD(data[1] + at), c = LOAD(data[2] + at), d = LOAD(data[3] + at);
    const __m256i even_ab = _mm256_unpacklo_epi64(a, b), odd_ab = _mm256_unpackhi_epi64(a, b);
    const __m256i even_cd = _mm256_unpacklo_epi64(c, d), odd_cd = _mm256_unpackhi_epi64(c, d);
    words[0] = _mm256_permute2x128_si256(even_ab, even_cd, 0x20);
    words[1] = _mm256_permute2x128_si256(odd_ab, odd_cd, 0x20);
    words[2] = _mm256_permute2x128_si256(even_ab, even_cd, 0x31);
    words[3] = _mm256_permute2x128_si256(odd_ab, odd_cd, 0x31);
}

#define mac_avx2_lanes mac_avx2
#include "blake2b_lanes.h"

#undef NAME
#undef TARGET
#undef VECTOR
#undef LANES
#undef NARROWER
#undef LOAD
#undef STORE
#undef SET
#undef ADD
#undef XOR
#undef ROTATE32
#undef ROTATE24
#undef ROTATE16
#undef ROTATE63

#define NAME(x) mac_avx512_##x
#define TARGET __attribute__((target("avx512f")))
#define VECTOR __m512i
#define LANES 8u
#define NARROWER &mac_avx2
#define LOAD(p) _mm512_loadu_si512((const void *)(p))
#define STORE(p, v) _mm512_storeu_si512((void *)(p), v)
#define SET(x) _mm512_set1_epi64((long long)(x))
#define ADD(a, b) _mm512_add_epi64(a, b)
#define XOR(a, b) _mm512_xor_si512(a, b)
#define ROTATE32(v) _mm512_ror_epi64(v, 32)
#define ROTATE24(v) _mm512_ror_epi64(v, 24)
#define ROTATE16(v) _mm512_ror_epi64(v, 16)
#define ROTATE63(v) _mm512_ror_epi64(v, 63)

TARGET static inline void mac_avx512_words(__m512i *words, const uint8_t *const *data, size_t at)
{
    /* [half][pair of packets]: words 0, 2, 4, 6 (half 0) or 1, 3, 5, 7, each of both packets. */
    __m512i pairs[2][4];
    for (size_t pair = 0; pair < 4; pair++) {
        const __m512i first = LOAD(data[2 * pair] + at), second = LOAD(data[2 * pair + 1] + at);
        pairs[0][pair] = _mm512_unpacklo_epi64(first, second);
        pairs[1][pair] = _mm512_unpackhi_epi64(first, second);
    }
    for (size_t half = 0; half < 2; half++) {
        const __m512i *p = pairs[half];
        const __m512i low_even = _mm512_shuffle_i64x2(p[0], p[1], 0x88), low_odd = _mm512_shuffle_i64x2(p[0], p[1], 0xDD);
        const __m512i high_even = _mm512_shuffle_i64x2(p[2], p[3], 0x88);
        const __m512i high_odd = _mm512_shuffle_i64x2(p[2], p[3], 0xDD);
        words[half] = _mm512_shuffle_i64x2(low_even, high_even, 0x88);
        words[4 + half] = _mm512_shuffle_i64x2(low_even, high_even, 0xDD);
        words[2 + half] = _mm512_shuffle_i64x2(low_odd, high_odd, 0x88);
        words[6 + half] = _mm512_shuffle_i64x2(low_odd, high_odd, 0xDD);
    }
}

#define mac_avx512_lanes mac_avx512
#include "blake2b_lanes.h"

#endif
