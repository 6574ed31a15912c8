/* GF(2^8), polynomial 0x11B: what the ways to calculate have in common. Plain C99, no Python.

   Sizes are bytes. "Rows" are given by pointers, so that they may lie anywhere; none of those written may overlap one
   that is read. */
#ifndef TRIBLER_MULTICAST_GF256_H
#define TRIBLER_MULTICAST_GF256_H

#include <stddef.h>
#include <stdint.h>

#include "blake2b.h"
#include "chacha20.h"

#if defined(__GNUC__) || defined(__clang__)
#define GF_INLINE static inline __attribute__((always_inline))
/* Vectors that lie across two cache lines cost twice; right without it too. */
#define GF_ALIGNED __attribute__((aligned(64)))
#else
#define GF_INLINE static inline
#define GF_ALIGNED
#endif

/* Matrices of coefficients have rows of a multiple of this, the rest zero, so that no vector has a tail. */
#define GF_ALIGN 64u

typedef struct {
    const char *name;
    /* target[i] ^= factor * source[i]. target and source may be the same. */
    void (*axpy)(uint8_t *target, uint8_t factor, const uint8_t *source, size_t size);
    /* target[i] = factor * target[i] */
    void (*scale)(uint8_t *target, uint8_t factor, size_t size);
    /* out[i * columns + j] = inner product of a + i * a_stride and b + j * b_stride */
    void (*dots)(uint8_t *out, const uint8_t *a, size_t a_stride, size_t rows, const uint8_t *b, size_t b_stride,
                 size_t columns, size_t size);
    /* outs[i][0..size) = sum over j of matrix[i * stride + j] * sources[j][0..size) */
    void (*product)(uint8_t *const *outs, const uint8_t *matrix, size_t stride, size_t rows, size_t columns,
                    const uint8_t *const *sources, size_t size);
    /* target ^= sum over i of factors[i] * (rows + i * stride); size is a multiple of GF_ALIGN */
    void (*combine)(uint8_t *target, const uint8_t *factors, const uint8_t *rows, size_t stride, size_t count,
                    size_t size);
    /* (rows + i * stride) ^= f * row, where f is (rows + i * stride)[column]; size is a multiple of GF_ALIGN. row may
       not be one of them. */
    void (*update)(uint8_t *rows, size_t stride, size_t column, size_t count, const uint8_t *row, size_t size);
    /* How MACs are made with the same instructions. */
    const mac_lanes *macs;
    /* How packets are encrypted with them. */
    const cipher_lanes *cipher;
} gf_kernels;

/* The product of every two elements, and the inverse of each (0 for 0). */
extern uint8_t gf_products[256][256];
extern uint8_t gf_inverses[256];
/* For each factor its products with 0..15 and with 16 * 0..15: what a shuffle looks up. */
extern uint8_t gf_nibbles[256][32];

/* The mask for the last n bytes of a vector of WIDTH bytes is at gf_last + 64 - WIDTH + n. */
extern const uint8_t gf_last[128];

/* Makes the tables and finds what this processor can. Once, before all else; not at the same time as anything else. */
void gf_prepare(void);
/* The ways there are on this processor, the best first, NULL at the end. */
extern const gf_kernels *gf_available[8];
/* The one in use. */
extern const gf_kernels *gf_current;

/* Each of eight bytes times x. */
GF_INLINE uint64_t gf_double(uint64_t bytes)
{
    const uint64_t top = (bytes >> 7) & UINT64_C(0x0101010101010101);
    return ((bytes & UINT64_C(0x7F7F7F7F7F7F7F7F)) << 1) ^ (top * 0x1Bu);
}

/* Each file of vector code adds what the processor can to gf_available. */
void gf_add(const gf_kernels *kernels);
void gf_add_x86(void);
void gf_add_neon(void);
extern const gf_kernels gf_portable;

#endif
