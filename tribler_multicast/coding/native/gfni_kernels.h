/* The kernels for processors that multiply in GF(2^8), polynomial 0x11B, themselves: GFNI.

   Included once per vector width, with: NAME(x), TARGET, LABEL, VECTOR, WIDTH, LOAD, STORE, BROADCAST, MULTIPLY, XOR,
   XOR3, ZERO, FOLD (the XOR of all bytes), ROWS and COLUMNS (of a tile: they fill the registers). */

/* A tile of the product, ROWS x COLUMNS vectors, kept in registers while all sources pass. */
TARGET GF_INLINE void NAME(tile)(uint8_t *const *outs, const uint8_t *matrix, size_t stride, size_t columns,
                                 const uint8_t *const *sources, size_t at, const int rows, const int width)
{
    VECTOR sums[ROWS][COLUMNS];
    size_t j = 0;
    for (int i = 0; i < rows; i++)
        for (int c = 0; c < width; c++)
            sums[i][c] = ZERO();
    for (; j + 1 < columns; j += 2) {
        VECTOR first[COLUMNS], second[COLUMNS];
        for (int c = 0; c < width; c++) {
            first[c] = LOAD(sources[j] + at + (size_t)c * WIDTH);
            second[c] = LOAD(sources[j + 1] + at + (size_t)c * WIDTH);
        }
        for (int i = 0; i < rows; i++) {
            const VECTOR f = BROADCAST(matrix[(size_t)i * stride + j]);
            const VECTOR g = BROADCAST(matrix[(size_t)i * stride + j + 1]);
            for (int c = 0; c < width; c++)
                sums[i][c] = XOR3(sums[i][c], MULTIPLY(first[c], f), MULTIPLY(second[c], g));
        }
    }
    if (j < columns)
        for (int i = 0; i < rows; i++) {
            const VECTOR f = BROADCAST(matrix[(size_t)i * stride + j]);
            for (int c = 0; c < width; c++)
                sums[i][c] = XOR(sums[i][c], MULTIPLY(LOAD(sources[j] + at + (size_t)c * WIDTH), f));
        }
    for (int i = 0; i < rows; i++)
        for (int c = 0; c < width; c++)
            STORE(outs[i] + at + (size_t)c * WIDTH, sums[i][c]);
}

#include "tiles.h"

TARGET static void NAME(axpy)(uint8_t *target, uint8_t factor, const uint8_t *source, size_t size)
{
    const VECTOR f = BROADCAST(factor);
    size_t at = 0;
    for (; at + WIDTH <= size; at += WIDTH)
        STORE(target + at, XOR(LOAD(target + at), MULTIPLY(LOAD(source + at), f)));
    gf_portable.axpy(target + at, factor, source + at, size - at);
}

TARGET static void NAME(scale)(uint8_t *target, uint8_t factor, size_t size)
{
    const VECTOR f = BROADCAST(factor);
    size_t at = 0;
    for (; at + WIDTH <= size; at += WIDTH)
        STORE(target + at, MULTIPLY(LOAD(target + at), f));
    gf_portable.scale(target + at, factor, size - at);
}

/* The inner products of some rows, 8 or 1, with one; byte i of the result, from the lowest, is that of row i. What is
   left after the last whole vector is done with one that overlaps it, in which the bytes already done are zero. */
TARGET GF_INLINE uint64_t NAME(dots_of_one)(const uint8_t *a, size_t stride, const uint8_t *b, size_t size,
                                            const int rows)
{
    VECTOR vectors[8];
    size_t at = 0;
    for (int i = 0; i < rows; i++)
        vectors[i] = ZERO();
    for (; at + WIDTH <= size; at += WIDTH) {
        const VECTOR right = LOAD(b + at);
        for (int i = 0; i < rows; i++)
            vectors[i] = XOR(vectors[i], MULTIPLY(LOAD(a + (size_t)i * stride + at), right));
    }
    if (at < size) {
        const VECTOR right = AND(LOAD(b + size - WIDTH), LOAD(gf_last + 64 - WIDTH + (size - at)));
        for (int i = 0; i < rows; i++)
            vectors[i] = XOR(vectors[i], MULTIPLY(LOAD(a + (size_t)i * stride + size - WIDTH), right));
    }
    return rows == 8 ? FOLD_EIGHT(vectors) : FOLD(vectors[0]);
}

#include "dots.h"

TARGET static void NAME(combine)(uint8_t *target, const uint8_t *factors, const uint8_t *rows, size_t stride,
                                 size_t count, size_t size)
{
    for (size_t at = 0; at < size; at += WIDTH) {
        VECTOR even = LOAD(target + at), odd = ZERO();
        size_t i = 0;
        for (; i + 1 < count; i += 2) {
            even = XOR(even, MULTIPLY(LOAD(rows + i * stride + at), BROADCAST(factors[i])));
            odd = XOR(odd, MULTIPLY(LOAD(rows + (i + 1) * stride + at), BROADCAST(factors[i + 1])));
        }
        if (i < count)
            even = XOR(even, MULTIPLY(LOAD(rows + i * stride + at), BROADCAST(factors[i])));
        STORE(target + at, XOR(even, odd));
    }
}

/* GF_ALIGN bytes at a time: what is added stays in registers. */
TARGET static void NAME(update)(uint8_t *rows, size_t stride, size_t column, size_t count, const uint8_t *row,
                                size_t size)
{
    enum { VECTORS = GF_ALIGN / WIDTH };
    /* The part with the column comes last: it is where the factors are. */
    const size_t last = column / GF_ALIGN * GF_ALIGN;
    for (size_t done = 0; done < size; done += GF_ALIGN) {
        const size_t at = done + GF_ALIGN == size ? last : done < last ? done : done + GF_ALIGN;
        uint8_t *target = rows + at;
        const uint8_t *factor = rows + column;
        VECTOR source[VECTORS];
        for (int v = 0; v < VECTORS; v++)
            source[v] = LOAD(row + at + v * WIDTH);
        for (size_t i = 0; i < count; i++, target += stride, factor += stride) {
            const VECTOR f = BROADCAST(*factor);
            for (int v = 0; v < VECTORS; v++)
                STORE(target + v * WIDTH, XOR(LOAD(target + v * WIDTH), MULTIPLY(source[v], f)));
        }
    }
}

static const gf_kernels NAME(kernels) = {LABEL, NAME(axpy), NAME(scale), NAME(dots), NAME(product), NAME(combine),
                                         NAME(update), MACS, CIPHER};
