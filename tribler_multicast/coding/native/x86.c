/* x86: GFNI with AVX-512, GFNI with AVX2, AVX2, SSSE3, whichever the processor and the system have. */
#include "gf256.h"

#if (defined(__x86_64__) || defined(__i386__)) && (defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 5))

#include <cpuid.h>
#include <immintrin.h>
#include <string.h>

#if defined(__clang__) ? __clang_major__ >= 9 : __GNUC__ >= 9
#define HAVE_GFNI
#endif

GF_INLINE uint8_t fold_word(uint64_t word)
{
    word ^= word >> 32;
    word ^= word >> 16;
    return (uint8_t)(word ^ (word >> 8));
}

__attribute__((target("sse2"))) GF_INLINE uint8_t fold_128(__m128i vector)
{
    uint64_t words[2];
    _mm_storeu_si128((__m128i *)(void *)words, vector);
    return fold_word(words[0] ^ words[1]);
}

__attribute__((target("sse2"))) GF_INLINE __m128i pair_128(__m128i first, __m128i second)
{
    __m128i all = _mm_xor_si128(_mm_unpacklo_epi64(first, second), _mm_unpackhi_epi64(first, second));
    all = _mm_xor_si128(all, _mm_srli_epi64(all, 32));
    all = _mm_xor_si128(all, _mm_srli_epi64(all, 16));
    return _mm_xor_si128(all, _mm_srli_epi64(all, 8));
}

/* The XOR of all bytes of each of eight vectors; byte i of the result, from the lowest, is that of vector i. */
__attribute__((target("sse2"))) GF_INLINE uint64_t fold_eight_128(const __m128i *vectors)
{
    uint64_t words[2], result = 0;
    for (int i = 6; i >= 0; i -= 2) {
        _mm_storeu_si128((__m128i *)(void *)words, pair_128(vectors[i], vectors[i + 1]));
        result = result << 16 | (words[1] & 255) << 8 | (words[0] & 255);
    }
    return result;
}

__attribute__((target("avx2"))) GF_INLINE __m128i half_256(__m256i vector)
{
    return _mm_xor_si128(_mm256_castsi256_si128(vector), _mm256_extracti128_si256(vector, 1));
}

__attribute__((target("avx2"))) GF_INLINE uint8_t fold_256(__m256i vector)
{
    return fold_128(half_256(vector));
}

__attribute__((target("avx2"))) GF_INLINE uint64_t fold_eight_256(const __m256i *vectors)
{
    __m128i halves[8];
    for (int i = 0; i < 8; i++)
        halves[i] = half_256(vectors[i]);
    return fold_eight_128(halves);
}

#ifdef HAVE_GFNI
#define NAME(x) gfni512_##x
#define LABEL "gfni512"
#define MACS &mac_avx512
#define CIPHER &cipher_avx512
#define TARGET __attribute__((target("gfni,avx512f,avx512bw,avx512vl")))
#define VECTOR __m512i
#define WIDTH 64
#define ROWS 6
#define COLUMNS 3
#define LOAD(p) _mm512_loadu_si512((const void *)(p))
#define STORE(p, v) _mm512_storeu_si512((void *)(p), v)
#define BROADCAST(f) _mm512_set1_epi8((char)(f))
#define MULTIPLY(a, b) _mm512_gf2p8mul_epi8(a, b)
#define XOR(a, b) _mm512_xor_si512(a, b)
#define XOR3(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0x96)
#define ZERO() _mm512_setzero_si512()
#define AND(a, b) _mm512_and_si512(a, b)
#define FOLD(v) gfni512_fold(v)
#define FOLD_EIGHT(v) gfni512_fold_eight(v)
TARGET GF_INLINE uint8_t gfni512_fold(__m512i vector)
{
    return fold_256(_mm256_xor_si256(_mm512_castsi512_si256(vector), _mm512_extracti64x4_epi64(vector, 1)));
}
/* The XOR of all bytes of each of eight vectors: first to one word of 64 bits each, then all words at once. */
TARGET GF_INLINE __m512i gfni512_pair(__m512i first, __m512i second)
{
    return _mm512_xor_si512(_mm512_unpacklo_epi64(first, second), _mm512_unpackhi_epi64(first, second));
}
TARGET GF_INLINE uint64_t gfni512_fold_eight(const __m512i *vectors)
{
    const __m512i a = gfni512_pair(vectors[0], vectors[1]), b = gfni512_pair(vectors[2], vectors[3]);
    const __m512i c = gfni512_pair(vectors[4], vectors[5]), d = gfni512_pair(vectors[6], vectors[7]);
    const __m512i ab = _mm512_xor_si512(_mm512_shuffle_i64x2(a, b, 0x44), _mm512_shuffle_i64x2(a, b, 0xEE));
    const __m512i cd = _mm512_xor_si512(_mm512_shuffle_i64x2(c, d, 0x44), _mm512_shuffle_i64x2(c, d, 0xEE));
    __m512i all = _mm512_xor_si512(_mm512_shuffle_i64x2(ab, cd, 0x88), _mm512_shuffle_i64x2(ab, cd, 0xDD));
    all = _mm512_xor_si512(all, _mm512_srli_epi64(all, 32));
    all = _mm512_xor_si512(all, _mm512_srli_epi64(all, 16));
    all = _mm512_xor_si512(all, _mm512_srli_epi64(all, 8));
    uint64_t bytes[2];
    _mm_storeu_si128((__m128i *)(void *)bytes, _mm512_cvtepi64_epi8(all));
    return bytes[0];
}
#include "gfni_kernels.h"
#include "undefine.h"

#define NAME(x) gfni256_##x
#define LABEL "gfni256"
#define MACS &mac_avx2
#define CIPHER &cipher_avx2
#define TARGET __attribute__((target("gfni,avx2")))
#define VECTOR __m256i
#define WIDTH 32
#define ROWS 4
#define COLUMNS 2
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), v)
#define BROADCAST(f) _mm256_set1_epi8((char)(f))
#define MULTIPLY(a, b) _mm256_gf2p8mul_epi8(a, b)
#define XOR(a, b) _mm256_xor_si256(a, b)
#define XOR3(a, b, c) XOR(a, XOR(b, c))
#define ZERO() _mm256_setzero_si256()
#define AND(a, b) _mm256_and_si256(a, b)
#define FOLD(v) fold_256(v)
#define FOLD_EIGHT(v) fold_eight_256(v)
#include "gfni_kernels.h"
#include "undefine.h"
#endif

#define NAME(x) avx2_##x
#define LABEL "avx2"
#define MACS &mac_avx2
#define CIPHER &cipher_avx2
#define TARGET __attribute__((target("avx2")))
#define VECTOR __m256i
#define WIDTH 32
#define ROWS 4
#define COLUMNS 2
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), v)
#define XOR(a, b) _mm256_xor_si256(a, b)
#define AND(a, b) _mm256_and_si256(a, b)
#define ZERO() _mm256_setzero_si256()
#define TABLE(p) _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define LOOKUP(t, i) _mm256_shuffle_epi8(t, i)
#define LOW(v) _mm256_and_si256(v, _mm256_set1_epi8(15))
#define HIGH(v) _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(15))
#define MASK_OF_TOP(v) _mm256_cmpgt_epi8(_mm256_setzero_si256(), v)
#define SHIFT(v, bits) _mm256_sll_epi16(v, _mm_cvtsi32_si128(bits))
#define FOLD(v) fold_256(v)
#define FOLD_EIGHT(v) fold_eight_256(v)
#include "nibble_kernels.h"
#include "undefine.h"

#define NAME(x) ssse3_##x
#define LABEL "ssse3"
#define MACS &mac_portable
#define CIPHER CIPHER_ANYWHERE
#define TARGET __attribute__((target("ssse3")))
#define VECTOR __m128i
#define WIDTH 16
#define ROWS 4
#define COLUMNS 2
#define LOAD(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define STORE(p, v) _mm_storeu_si128((__m128i *)(void *)(p), v)
#define XOR(a, b) _mm_xor_si128(a, b)
#define AND(a, b) _mm_and_si128(a, b)
#define ZERO() _mm_setzero_si128()
#define TABLE(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define LOOKUP(t, i) _mm_shuffle_epi8(t, i)
#define LOW(v) _mm_and_si128(v, _mm_set1_epi8(15))
#define HIGH(v) _mm_and_si128(_mm_srli_epi16(v, 4), _mm_set1_epi8(15))
#define MASK_OF_TOP(v) _mm_cmpgt_epi8(_mm_setzero_si128(), v)
#define SHIFT(v, bits) _mm_sll_epi16(v, _mm_cvtsi32_si128(bits))
#define FOLD(v) fold_128(v)
#define FOLD_EIGHT(v) fold_eight_128(v)
#include "nibble_kernels.h"
#include "undefine.h"

/* Which registers the system saves when it switches between programs: without that, vectors must not be used. */
static uint64_t saved_registers(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

void gf_add_x86(void)
{
    unsigned a, b, c, d, features = 0, more = 0;
    uint64_t saved = 0;
    int avx2;
    if (!__get_cpuid(1, &a, &b, &features, &d))
        return;
    if (features & (1u << 27))
        saved = saved_registers();
    if (__get_cpuid_max(0, NULL) >= 7) {
        __cpuid_count(7, 0, a, b, c, d);
        more = b;
#ifdef HAVE_GFNI
        if (c & (1u << 8)) {
            /* AVX512F, BW, VL, and the system saves mask and all vector registers. */
            const unsigned wanted = 1u << 16 | 1u << 30 | 1u << 31;
            if ((more & wanted) == wanted && (saved & 0xE6u) == 0xE6u)
                gf_add(&gfni512_kernels);
            if ((more & (1u << 5)) && (saved & 6u) == 6u)
                gf_add(&gfni256_kernels);
        }
#endif
    }
    avx2 = (more & (1u << 5)) && (saved & 6u) == 6u;
    if (avx2)
        gf_add(&avx2_kernels);
    if (features & (1u << 9))
        gf_add(&ssse3_kernels);
}

#else

void gf_add_x86(void)
{
}

#endif
