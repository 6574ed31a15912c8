/* Inner products of many rows with many: those of up to eight rows with one at a time. Included where a kernel
   NAME(dots_of_one) is defined for sizes from WIDTH on; see gfni_kernels.h and nibble_kernels.h. */
#ifndef COPIED
#define COPIED 2048u
#endif

TARGET static void NAME(dots_of_eight)(uint8_t *out, size_t step, const uint8_t *a, size_t a_stride, const uint8_t *b,
                                       size_t b_stride, size_t columns, size_t size)
{
    /* Vectors that lie across two cache lines take longer to load. */
    uint8_t copy[8 * COPIED + 64];
    if (columns >= 8 && size <= COPIED) {
        const size_t stride = (size + 63) & ~(size_t)63;
        uint8_t *aligned = copy + (-(uintptr_t)copy & 63);
        for (size_t i = 0; i < 8; i++)
            memcpy(aligned + i * stride, a + i * a_stride, size);
        a = aligned;
        a_stride = stride;
    }
    for (size_t j = 0; j < columns; j++) {
        const uint64_t sums = NAME(dots_of_one)(a, a_stride, b + j * b_stride, size, 8);
        for (size_t i = 0; i < 8; i++)
            out[i * step + j] = (uint8_t)(sums >> 8 * i);
    }
}

TARGET static void NAME(dots)(uint8_t *out, const uint8_t *a, size_t a_stride, size_t rows, const uint8_t *b,
                              size_t b_stride, size_t columns, size_t size)
{
    uint8_t left[8][WIDTH], right[WIDTH];
    size_t i = 0;
    if (size >= WIDTH) {
        for (; i + 8 <= rows; i += 8)
            NAME(dots_of_eight)(out + i * columns, columns, a + i * a_stride, a_stride, b, b_stride, columns, size);
        for (; i < rows; i++)
            for (size_t j = 0; j < columns; j++)
                out[i * columns + j] =
                    (uint8_t)NAME(dots_of_one)(a + i * a_stride, a_stride, b + j * b_stride, size, 1);
        return;
    }
    /* Short rows are copied, with zeros after them. */
    memset(left, 0, sizeof left);
    memset(right, 0, sizeof right);
    for (; i < rows; i += 8) {
        const size_t count = rows - i < 8 ? rows - i : 8;
        for (size_t r = 0; r < count; r++)
            memcpy(left[r], a + (i + r) * a_stride, size);
        for (size_t j = 0; j < columns; j++) {
            memcpy(right, b + j * b_stride, size);
            const uint64_t sums = NAME(dots_of_one)(left[0], WIDTH, right, WIDTH, 8);
            for (size_t r = 0; r < count; r++)
                out[(i + r) * columns + j] = (uint8_t)(sums >> 8 * r);
        }
    }
}
