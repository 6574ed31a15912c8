/* The kernels for processors that look up 16 entries at once: a factor times a byte is its product with the low half of
   the byte plus its product with the high half (Plank, Greenan and Miller 2013, "Screaming fast Galois field arithmetic").

   Included once per vector width, with: NAME(x), TARGET, LABEL, VECTOR, WIDTH, LOAD, STORE, XOR, ZERO, TABLE (16 bytes, in
   every lane), LOOKUP(table, indices), LOW and HIGH (halves of each byte), MASK_OF_TOP (255 where the top bit is set),
   AND, DOUBLE (each byte + itself: shifts it left), ROWS, COLUMNS. */

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

/* The inner product. Neither side is constant, so there is no table: the bytes of a are added up by which bits of b are
   set, and each of the eight sums is multiplied by its power of x once, at the end. */
TARGET static uint8_t NAME(dot)(const uint8_t *a, const uint8_t *b, size_t size)
{
    VECTOR sums[8];
    uint8_t bytes[WIDTH], result = 0;
    size_t at = 0;
    for (int bit = 0; bit < 8; bit++)
        sums[bit] = ZERO();
    for (; at + WIDTH <= size; at += WIDTH) {
        const VECTOR left = LOAD(a + at);
        VECTOR right = LOAD(b + at);
        for (int bit = 7; bit >= 0; bit--) {
            sums[bit] = XOR(sums[bit], AND(left, MASK_OF_TOP(right)));
            right = DOUBLE(right);
        }
    }
    for (int bit = 0; bit < 8; bit++) {
        uint8_t sum = 0;
        STORE(bytes, sums[bit]);
        for (unsigned n = 0; n < WIDTH; n++)
            sum ^= bytes[n];
        result ^= gf_products[1u << bit][sum];
    }
    for (; at < size; at++)
        result ^= gf_products[a[at]][b[at]];
    return result;
}

TARGET static void NAME(dots)(uint8_t *out, const uint8_t *a, size_t a_stride, size_t rows, const uint8_t *b,
                              size_t b_stride, size_t columns, size_t size)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            out[i * columns + j] = NAME(dot)(a + i * a_stride, b + j * b_stride, size);
}

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

TARGET static void NAME(update)(uint8_t *rows, size_t stride, const uint8_t *factors, size_t count, const uint8_t *row,
                                size_t size)
{
    for (size_t at = 0; at < size; at += WIDTH) {
        const VECTOR source = LOAD(row + at), low = LOW(source), high = HIGH(source);
        for (size_t i = 0; i < count; i++) {
            const uint8_t *nibbles = gf_nibbles[factors[i]];
            uint8_t *target = rows + i * stride + at;
            STORE(target, XOR(LOAD(target), XOR(LOOKUP(TABLE(nibbles), low), LOOKUP(TABLE(nibbles + 16), high))));
        }
    }
}

static const gf_kernels NAME(kernels) = {LABEL, NAME(axpy), NAME(scale), NAME(dots), NAME(product), NAME(combine),
                                         NAME(update)};
