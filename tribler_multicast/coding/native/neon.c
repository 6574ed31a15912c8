/* 64-bit Arm: NEON, which all of them have. */
#include "gf256.h"

#if defined(__aarch64__) && defined(__ARM_NEON) && defined(__GNUC__)

#include <arm_neon.h>
#include <string.h>

GF_INLINE uint8_t fold(uint8x16_t vector)
{
    uint64_t word = vgetq_lane_u64(vreinterpretq_u64_u8(vector), 0) ^ vgetq_lane_u64(vreinterpretq_u64_u8(vector), 1);
    word ^= word >> 32;
    word ^= word >> 16;
    return (uint8_t)(word ^ (word >> 8));
}

GF_INLINE uint64_t fold_eight(const uint8x16_t *vectors)
{
    uint64_t result = 0;
    for (int i = 7; i >= 0; i--)
        result = result << 8 | fold(vectors[i]);
    return result;
}

#define NAME(x) neon_##x
#define LABEL "neon"
#define MACS &mac_portable
#define CIPHER CIPHER_ANYWHERE
#define TARGET
#define VECTOR uint8x16_t
#define WIDTH 16
#define ROWS 4
#define COLUMNS 4
#define LOAD(p) vld1q_u8(p)
#define STORE(p, v) vst1q_u8(p, v)
#define XOR(a, b) veorq_u8(a, b)
#define AND(a, b) vandq_u8(a, b)
#define ZERO() vdupq_n_u8(0)
#define TABLE(p) vld1q_u8(p)
#define LOOKUP(t, i) vqtbl1q_u8(t, i)
#define LOW(v) vandq_u8(v, vdupq_n_u8(15))
#define HIGH(v) vshrq_n_u8(v, 4)
#define MASK_OF_TOP(v) vreinterpretq_u8_s8(vshrq_n_s8(vreinterpretq_s8_u8(v), 7))
#define SHIFT(v, bits) vshlq_u8(v, vdupq_n_s8((int8_t)(bits)))
#define FOLD(v) fold(v)
#define FOLD_EIGHT(v) fold_eight(v)
#include "nibble_kernels.h"
#include "undefine.h"

void gf_add_neon(void)
{
    gf_add(&neon_kernels);
}

#else

void gf_add_neon(void)
{
}

#endif
