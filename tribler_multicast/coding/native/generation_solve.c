/* From coded packets to symbols, and back. */
#include "generation_private.h"

/* Inverts a matrix in place (Gauss and Jordan), count rows of stride bytes. It has full rank. */
static void invert(const gf_kernels *kernels, uint8_t *matrix, size_t stride, unsigned count)
{
    uint8_t swapped[MAX_SYMBOLS + 1], spare[256] GF_ALIGNED;
    for (unsigned n = 0; n < count; n++) {
        uint8_t *row = matrix + n * stride;
        unsigned other = n;
        while (other + 1 < count && matrix[other * stride + n] == 0)
            other++;
        swapped[n] = (uint8_t)other;
        if (other != n) {
            memcpy(spare, row, stride);
            memcpy(row, matrix + other * stride, stride);
            memcpy(matrix + other * stride, spare, stride);
        }
        const uint8_t inverse = gf_inverses[row[n]];
        row[n] = 1;
        kernels->scale(row, inverse, stride);
        /* In the column itself f becomes f * inverse = f ^ f * (inverse ^ 1). */
        memcpy(spare, row, stride);
        spare[n] ^= 1;
        kernels->update(matrix, stride, n, n, spare, stride);
        kernels->update(row + stride, stride, n, count - n - 1, spare, stride);
    }
    for (unsigned n = count; n-- > 0;)
        if (swapped[n] != n)
            for (unsigned i = 0; i < count; i++) {
                uint8_t *a = matrix + i * stride + n, *b = matrix + i * stride + swapped[n], kept = *a;
                *a = *b;
                *b = kept;
            }
}

/* Puts combinations of all slots in place of the coded ones. matrix: coded x stride. Strip by strip, small enough for
   the first-level cache, so that what is written is the only thing held twice. 0 when there is no memory. */
#define STRIP 192u

/* Short copies of whole cache lines, without a call for each. */
static void copy(uint8_t *target, const uint8_t *source, size_t size)
{
    for (; size >= 64; size -= 64, target += 64, source += 64)
        memcpy(target, source, 64);
    memcpy(target, source, size);
}

static int transform(generation *self, const uint8_t *matrix)
{
    const uint8_t *sources[MAX_SYMBOLS + 1];
    uint8_t *outs[MAX_SYMBOLS + 1], *targets[MAX_SYMBOLS + 1];
    uint8_t *scratch = take(self->coded, 2 * STRIP);
    size_t width;
    unsigned count = 0;
    if (scratch == NULL)
        return 0;
    for (unsigned i = 0; i < self->k; i++)
        if (self->states[i] == SLOT_CODED) {
            outs[count] = scratch + (size_t)count * 2 * STRIP;
            targets[count++] = slot(self, i);
        }
    for (size_t at = 0; at < self->size; at += width) {
        /* The last strip takes the rest along: a short one would not fill a vector. */
        width = self->size - at < 2 * STRIP ? self->size - at : STRIP;
        for (unsigned i = 0; i < self->k; i++)
            sources[i] = slot(self, i) + at;
        self->kernels->product(outs, matrix, self->stride, count, self->k, sources, width);
        for (unsigned n = 0; n < count; n++)
            copy(targets[n] + at, outs[n], width);
    }
    give_back(scratch);
    return 1;
}

/* The matrix that makes the missing symbols of what is in the slots. With M the columns of the coded vectors that are
   missing and S those that came systematic: the missing symbols are inverse(M) * (coded - S * systematic). */
static void solution(const generation *self, uint8_t *matrix, uint8_t *inverse)
{
    const uint8_t *rows[MAX_SYMBOLS + 1];
    uint8_t *outs[MAX_SYMBOLS + 1];
    uint8_t slots[MAX_SYMBOLS + 1];
    unsigned count = 0;
    for (unsigned i = 0; i < self->k; i++)
        if (self->states[i] == SLOT_CODED) {
            outs[count] = matrix + count * self->stride;
            rows[count] = vector_of(self, i);
            slots[count++] = (uint8_t)i;
        }
    if (self->systematic == 0) { /* M is all there is */
        memcpy(matrix, self->vectors, count * self->stride);
        invert(self->kernels, matrix, self->stride, count);
        return;
    }
    memset(inverse, 0, count * self->stride);
    for (unsigned n = 0; n < count; n++)
        for (unsigned m = 0; m < count; m++)
            inverse[n * self->stride + m] = rows[n][slots[m]];
    invert(self->kernels, inverse, self->stride, count);
    self->kernels->product(outs, inverse, self->stride, count, count, rows, self->stride);
    for (unsigned n = 0; n < count; n++)
        for (unsigned m = 0; m < count; m++)
            outs[n][slots[m]] = inverse[n * self->stride + m];
}

int generation_decode(generation *self)
{
    int done = 1;
    if (self->decoded)
        return 1;
    if (self->coded > 0) {
        uint8_t *inverse = take(self->coded, self->stride);
        /* The reduced form has done its work; it makes room for the matrix. */
        done = inverse != NULL;
        if (done) {
            solution(self, self->reduced, inverse);
            done = transform(self, self->reduced);
        }
        give_back(inverse);
        if (!done)
            return generation_rebuild(self) && 0;
    }
    give_back(self->reduced);
    self->reduced = NULL;
    self->decoded = 1;
    return 1;
}

int generation_restore(generation *self)
{
    if (!self->decoded)
        return 1;
    if (self->coded > 0) {
        unsigned count = 0;
        if (!generation_make_matrices(self))
            return 0;
        for (unsigned i = 0; i < self->k; i++)
            if (self->states[i] == SLOT_CODED)
                memcpy(self->reduced + self->stride * count++, vector_of(self, i), self->stride);
        if (!transform(self, self->reduced))
            return 0;
    }
    self->decoded = 0;
    return generation_rebuild(self);
}

void generation_packet(const generation *self, unsigned index, uint8_t *payload)
{
    if (self->decoded && self->states[index] == SLOT_CODED) {
        const uint8_t *sources[MAX_SYMBOLS + 1];
        for (unsigned i = 0; i < self->k; i++)
            sources[i] = slot(self, i);
        self->kernels->product(&payload, vector_of(self, index), self->stride, 1, self->k, sources, self->size);
    } else
        memcpy(payload, slot(self, index), self->size);
}
