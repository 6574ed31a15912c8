/* Covers a matrix product with tiles: 4 <= ROWS <= 6, COLUMNS <= 4. Included where a kernel NAME(tile) is defined; see
   gfni_kernels.h.

   A strip of some vectors of all sources stays in the first-level cache while all rows pass over it. What is left of a
   row is done with a vector that overlaps the one before: it calculates the same bytes again. */
TARGET GF_INLINE void NAME(strip)(uint8_t *const *outs, const uint8_t *matrix, size_t stride, size_t rows,
                                  size_t columns, const uint8_t *const *sources, size_t at, const int width)
{
    size_t i = 0;
    /* Even shares: 16 rows of tiles of 6 are 6, 5, 5 and not 6, 6, 4. */
    for (size_t tiles = (rows + ROWS - 1) / ROWS; tiles > 0; tiles--) {
        const size_t share = (rows - i + tiles - 1) / tiles;
        const uint8_t *factors = matrix + i * stride;
        switch (share) {
#if ROWS >= 6
        case 6: NAME(tile)(outs + i, factors, stride, columns, sources, at, 6, width); break;
#endif
#if ROWS >= 5
        case 5: NAME(tile)(outs + i, factors, stride, columns, sources, at, 5, width); break;
#endif
        case 4: NAME(tile)(outs + i, factors, stride, columns, sources, at, 4, width); break;
        case 3: NAME(tile)(outs + i, factors, stride, columns, sources, at, 3, width); break;
        case 2: NAME(tile)(outs + i, factors, stride, columns, sources, at, 2, width); break;
        default: NAME(tile)(outs + i, factors, stride, columns, sources, at, 1, width); break;
        }
        i += share;
    }
}

TARGET static void NAME(product)(uint8_t *const *outs, const uint8_t *matrix, size_t stride, size_t rows,
                                 size_t columns, const uint8_t *const *sources, size_t size)
{
    size_t at = 0;
    if (size < WIDTH) {
        gf_portable.product(outs, matrix, stride, rows, columns, sources, size);
        return;
    }
    for (; at + COLUMNS * WIDTH <= size; at += COLUMNS * WIDTH)
        NAME(strip)(outs, matrix, stride, rows, columns, sources, at, COLUMNS);
#if COLUMNS >= 3
    if (at + 2 * WIDTH <= size) {
        NAME(strip)(outs, matrix, stride, rows, columns, sources, at, 2);
        at += 2 * WIDTH;
    }
#endif
    for (; at + WIDTH <= size; at += WIDTH)
        NAME(strip)(outs, matrix, stride, rows, columns, sources, at, 1);
    if (at < size)
        NAME(strip)(outs, matrix, stride, rows, columns, sources, size - WIDTH, 1);
}
