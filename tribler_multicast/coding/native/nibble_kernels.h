/* The kernels for processors that look up 16 entries at once: a factor times a byte is its product with the low half of
   the byte plus its product with the high half (Plank, Greenan and Miller 2013, "Screaming fast Galois field
   arithmetic").

   Included once per vector width, with: NAME(x), TARGET, LABEL, VECTOR, WIDTH, LOAD, STORE, XOR, ZERO, TABLE (16 bytes,
   in every lane), LOOKUP(table, indices), LOW and HIGH (halves of each byte), MASK_OF_TOP (255 where the top bit is
   set), AND, DOUBLE (each byte + itself: shifts it left), ROWS, COLUMNS. */

TARGET GF_INLINE void NAME(tile)(uint8_t *const *outs, const uint8_t *matrix, size_t stride, size_t columns,
                                 const uint8_t *const *sources, size_t at, const int rows, const int width)
{
    VECTOR sums[ROWS][COLUMNS];
    for (int i = 0; i < rows; i++)
        for (int c = 0; c < width; c++)
            sums[i][c] = ZERO();
    for (size_t j = 0; j < columns; j++) {
        VECTOR low[COLUMNS], high[COLUMNS];
        for (int c = 0; c < width; c++) {
            const VECTOR source = LOAD(sources[j] + at + (size_t)c * WIDTH);
            low[c] = LOW(source);
            high[c] = HIGH(source);
        }
        for (int i = 0; i < rows; i++) {
            const uint8_t *nibbles = gf_nibbles[matrix[(size_t)i * stride + j]];
            const VECTOR lows = TABLE(nibbles), highs = TABLE(nibbles + 16);
            for (int c = 0; c < width; c++)
                sums[i][c] = XOR(sums[i][c], XOR(LOOKUP(lows, low[c]), LOOKUP(highs, high[c])));
        }
    }
    for (int i = 0; i < rows; i++)
        for (int c = 0; c < width; c++)
            STORE(outs[i] + at + (size_t)c * WIDTH, sums[i][c]);
}

#include "tiles.h"

TARGET GF_INLINE VECTOR NAME(times)(VECTOR source, const uint8_t *nibbles)
{
    return XOR(LOOKUP(TABLE(nibbles), LOW(source)), LOOKUP(TABLE(nibbles + 16), HIGH(source)));
}

TARGET static void NAME(axpy)(uint8_t *target, uint8_t factor, const uint8_t *source, size_t size)
{
    const uint8_t *nibbles = gf_nibbles[factor];
    size_t at = 0;
    for (; at + WIDTH <= size; at += WIDTH)
        STORE(target + at, XOR(LOAD(target + at), NAME(times)(LOAD(source + at), nibbles)));
    gf_portable.axpy(target + at, factor, source + at, size - at);
}

TARGET static void NAME(scale)(uint8_t *target, uint8_t factor, size_t size)
{
    const uint8_t *nibbles = gf_nibbles[factor];
    size_t at = 0;
    for (; at + WIDTH <= size; at += WIDTH)
        STORE(target + at, NAME(times)(LOAD(target + at), nibbles));
    gf_portable.scale(target + at, factor, size - at);
}

/* The inner products of some rows, 8 or 1, with one; byte i of the result, from the lowest, is that of row i. Neither
   side is constant, so there are no tables: for each bit of b, the highest first, the bytes of a are added up where it
   is set, and what was added up before is multiplied by x. What is left after the last whole vector is done with one
   that overlaps it, in which the bytes already done are zero. */
TARGET GF_INLINE uint64_t NAME(dots_of_one)(const uint8_t *a, size_t stride, const uint8_t *b, size_t size,
                                            const int rows)
{
    const size_t whole = size - size % WIDTH;
    uint64_t sums = 0;
    for (int bit = 0; bit < 8; bit++) {
        VECTOR vectors[8];
        for (int i = 0; i < rows; i++)
            vectors[i] = ZERO();
        for (size_t at = 0; at < whole; at += WIDTH) {
            const VECTOR mask = MASK_OF_TOP(SHIFT(LOAD(b + at), bit));
            for (int i = 0; i < rows; i++)
                vectors[i] = XOR(vectors[i], AND(mask, LOAD(a + (size_t)i * stride + at)));
        }
        if (whole < size) {
            const VECTOR right = AND(LOAD(b + size - WIDTH), LOAD(gf_last + 64 - WIDTH + (size - whole)));
            const VECTOR mask = MASK_OF_TOP(SHIFT(right, bit));
            for (int i = 0; i < rows; i++)
                vectors[i] = XOR(vectors[i], AND(mask, LOAD(a + (size_t)i * stride + size - WIDTH)));
        }
        sums = gf_double(sums) ^ (rows == 8 ? FOLD_EIGHT(vectors) : FOLD(vectors[0]));
    }
    return sums;
}

#include "dots.h"

TARGET static void NAME(combine)(uint8_t *target, const uint8_t *factors, const uint8_t *rows, size_t stride,
                                 size_t count, size_t size)
{
    for (size_t at = 0; at < size; at += 2 * WIDTH) {
        VECTOR first = LOAD(target + at), second = LOAD(target + at + WIDTH);
        for (size_t i = 0; i < count; i++) {
            const uint8_t *nibbles = gf_nibbles[factors[i]], *row = rows + i * stride + at;
            first = XOR(first, NAME(times)(LOAD(row), nibbles));
            second = XOR(second, NAME(times)(LOAD(row + WIDTH), nibbles));
        }
        STORE(target + at, first);
        STORE(target + at + WIDTH, second);
    }
}

TARGET static void NAME(update)(uint8_t *rows, size_t stride, size_t column, size_t count, const uint8_t *row,
                                size_t size)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t *target = rows + i * stride;
        const uint8_t *nibbles = gf_nibbles[target[column]];
        const VECTOR lows = TABLE(nibbles), highs = TABLE(nibbles + 16);
        for (size_t at = 0; at < size; at += WIDTH) {
            const VECTOR source = LOAD(row + at);
            STORE(target + at, XOR(LOAD(target + at), XOR(LOOKUP(lows, LOW(source)), LOOKUP(highs, HIGH(source)))));
        }
    }
}

static const gf_kernels NAME(kernels) = {LABEL, NAME(axpy), NAME(scale), NAME(dots), NAME(product), NAME(combine),
                                         NAME(update), MACS, CIPHER};
