/* Tables, choice, and the portable way to calculate. */
#include "gf256.h"

#include <string.h>

uint8_t gf_products[256][256];
uint8_t gf_inverses[256];
uint8_t gf_nibbles[256][32] GF_ALIGNED;
const gf_kernels *gf_available[8];
const gf_kernels *gf_current;

static void make_tables(void)
{
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            unsigned product = 0, power = a;
            for (unsigned bits = b; bits != 0; bits >>= 1) {
                if (bits & 1)
                    product ^= power;
                power = (power << 1) ^ ((power & 0x80) ? 0x11Bu : 0u);
            }
            gf_products[a][b] = (uint8_t)product;
            if (product == 1)
                gf_inverses[a] = (uint8_t)b;
        }
        for (unsigned nibble = 0; nibble < 16; nibble++) {
            gf_nibbles[a][nibble] = gf_products[a][nibble];
            gf_nibbles[a][16 + nibble] = gf_products[a][nibble << 4];
        }
    }
}

const uint8_t gf_last[128] = {
    [64] = 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
};

void gf_add(const gf_kernels *kernels)
{
    size_t count = 0;
    while (gf_available[count] != NULL)
        count++;
    if (count + 1 < sizeof gf_available / sizeof *gf_available)
        gf_available[count] = kernels;
}

void gf_prepare(void)
{
    if (gf_current != NULL)
        return;
    make_tables();
    gf_add_x86();
    gf_add_neon();
    gf_add(&gf_portable);
    gf_current = gf_available[0];
}

static void axpy(uint8_t *target, uint8_t factor, const uint8_t *source, size_t size)
{
    const uint8_t *table = gf_products[factor];
    for (size_t i = 0; i < size; i++)
        target[i] ^= table[source[i]];
}

static void scale(uint8_t *target, uint8_t factor, size_t size)
{
    const uint8_t *table = gf_products[factor];
    for (size_t i = 0; i < size; i++)
        target[i] = table[target[i]];
}

/* The inner products of eight rows with one, by words: for each bit of b, the highest first, the bytes of a are added
   up where it is set, and what was added up before is multiplied by x. */
static uint64_t dots_of_eight(const uint8_t *a, size_t stride, const uint8_t *b, size_t size)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t sums = 0;
    for (unsigned bit = 8; bit-- > 0;) {
        uint64_t words[8] = {0};
        for (size_t at = 0; at + 8 <= size; at += 8) {
            uint64_t mask, word;
            memcpy(&mask, b + at, 8);
            mask = ((mask >> bit) & ones) * 255u;
            for (unsigned i = 0; i < 8; i++) {
                memcpy(&word, a + i * stride + at, 8);
                words[i] ^= word & mask;
            }
        }
        sums = gf_double(sums);
        for (unsigned i = 0; i < 8; i++) {
            words[i] ^= words[i] >> 32;
            words[i] ^= words[i] >> 16;
            sums ^= ((words[i] ^ (words[i] >> 8)) & 255u) << 8 * i;
        }
    }
    for (size_t at = size - size % 8; at < size; at++)
        for (unsigned i = 0; i < 8; i++)
            sums ^= (uint64_t)gf_products[a[i * stride + at]][b[at]] << 8 * i;
    return sums;
}

static void dots(uint8_t *out, const uint8_t *a, size_t a_stride, size_t rows, const uint8_t *b, size_t b_stride,
                 size_t columns, size_t size)
{
    size_t i = 0;
    for (; i + 8 <= rows; i += 8)
        for (size_t j = 0; j < columns; j++) {
            const uint64_t sums = dots_of_eight(a + i * a_stride, a_stride, b + j * b_stride, size);
            for (size_t r = 0; r < 8; r++)
                out[(i + r) * columns + j] = (uint8_t)(sums >> 8 * r);
        }
    for (; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            const uint8_t *left = a + i * a_stride, *right = b + j * b_stride;
            uint8_t sum = 0;
            for (size_t n = 0; n < size; n++)
                sum ^= gf_products[left[n]][right[n]];
            out[i * columns + j] = sum;
        }
}

/* The product, by the method of four Russians (Arlazarov and others 1970): for a block of a source its products with
   1..15 and with 16..240 are made once, and each row takes two of them. Words of 64 bits, which compilers turn into
   whatever vectors the architecture always has. */
#define BLOCK 64u
#define WORDS (BLOCK / 8u)
#define GROUP 4u
#define FEW_ROWS 4u

typedef struct {
    uint64_t low[16][WORDS];
    uint64_t high[16][WORDS];
} russians;

static void make_russians(russians *tables, const uint8_t *source)
{
    uint64_t power[WORDS];
    memcpy(power, source, BLOCK);
    for (unsigned bit = 0; bit < 8; bit++) {
        uint64_t (*half)[WORDS] = bit < 4 ? tables->low : tables->high;
        const unsigned step = 1u << (bit & 3u);
        if (step == 1)
            memset(half[0], 0, sizeof half[0]);
        for (unsigned entry = 0; entry < step; entry++)
            for (unsigned word = 0; word < WORDS; word++)
                half[step + entry][word] = half[entry][word] ^ power[word];
        for (unsigned word = 0; word < WORDS; word++) {
            const uint64_t top = (power[word] >> 7) & UINT64_C(0x0101010101010101);
            power[word] = ((power[word] & UINT64_C(0x7F7F7F7F7F7F7F7F)) << 1) ^ (top * 0x1Bu);
        }
    }
}

static void add_group(uint8_t *out, const uint8_t *factors, const russians *tables, size_t count)
{
    uint64_t sum[WORDS];
    memcpy(sum, out, BLOCK);
    for (size_t g = 0; g < count; g++) {
        const uint64_t *low = tables[g].low[factors[g] & 15u], *high = tables[g].high[factors[g] >> 4];
        for (unsigned word = 0; word < WORDS; word++)
            sum[word] ^= low[word] ^ high[word];
    }
    memcpy(out, sum, BLOCK);
}

static void product(uint8_t *const *outs, const uint8_t *matrix, size_t stride, size_t rows, size_t columns,
                    const uint8_t *const *sources, size_t size)
{
    russians tables[GROUP];
    size_t at = 0;
    for (size_t i = 0; i < rows; i++)
        memset(outs[i], 0, size);
    if (rows >= FEW_ROWS)
        for (; at + BLOCK <= size; at += BLOCK)
            for (size_t j = 0; j < columns; j += GROUP) {
                const size_t count = columns - j < GROUP ? columns - j : GROUP;
                for (size_t g = 0; g < count; g++)
                    make_russians(&tables[g], sources[j + g] + at);
                for (size_t i = 0; i < rows; i++)
                    add_group(outs[i] + at, matrix + i * stride + j, tables, count);
            }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            axpy(outs[i] + at, matrix[i * stride + j], sources[j] + at, size - at);
}

static void combine(uint8_t *target, const uint8_t *factors, const uint8_t *rows, size_t stride, size_t count,
                    size_t size)
{
    for (size_t i = 0; i < count; i++)
        if (factors[i] != 0)
            axpy(target, factors[i], rows + i * stride, size);
}

static void update(uint8_t *rows, size_t stride, size_t column, size_t count, const uint8_t *row, size_t size)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i * stride + column] != 0)
            axpy(rows + i * stride, rows[i * stride + column], row, size);
}

const gf_kernels gf_portable = {"portable", axpy, scale, dots, product, combine, update,
                                &mac_portable, CIPHER_ANYWHERE};
