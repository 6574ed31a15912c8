#include "generation.h"

#include <stdlib.h>
#include <string.h>

/* Memory at the beginning of a cache line; NULL when there is none. To be given back with give_back. */
static uint8_t *take(size_t count, size_t size)
{
    const size_t extra = GF_ALIGN + sizeof(void *);
    uint8_t *whole, *aligned;
    if (size > (SIZE_MAX - extra) / count || (whole = malloc(count * size + extra)) == NULL)
        return NULL;
    aligned = whole + sizeof(void *);
    aligned += (GF_ALIGN - (uintptr_t)aligned % GF_ALIGN) % GF_ALIGN;
    memcpy(aligned - sizeof(void *), &whole, sizeof(void *));
    return aligned;
}

static uint8_t *take_zeros(size_t count, size_t size)
{
    uint8_t *taken = take(count, size);
    if (taken != NULL)
        memset(taken, 0, count * size);
    return taken;
}

static void give_back(uint8_t *aligned)
{
    void *whole;
    if (aligned == NULL)
        return;
    memcpy(&whole, aligned - sizeof(void *), sizeof(void *));
    free(whole);
}

int generation_create(generation *self, code parameters, size_t size)
{
    memset(self, 0, sizeof *self);
    self->kernels = gf_current;
    self->parameters = parameters;
    self->k = parameters.k;
    self->size = size;
    self->stride = (self->k + GF_ALIGN - 1) / GF_ALIGN * GF_ALIGN;
    memset(self->open, 255, self->k);
    self->data = take_zeros(self->k, size);
    return self->data != NULL;
}

void generation_destroy(generation *self)
{
    give_back(self->data);
    give_back(self->vectors);
    give_back(self->reduced);
    memset(self, 0, sizeof *self);
}

static uint8_t *slot(const generation *self, unsigned index)
{
    return self->data + (size_t)index * self->size;
}

static uint8_t *vector_of(const generation *self, unsigned index)
{
    return self->vectors + (size_t)index * self->stride;
}

/* A free slot: this one if it is. There is one, as long as the rank is below k. */
static unsigned find_free(const generation *self, unsigned wanted)
{
    unsigned index = wanted;
    if (self->states[index] != SLOT_FREE)
        for (index = 0; self->states[index] != SLOT_FREE; index++)
            ;
    return index;
}

/* The first column that is not zero, or k. */
static unsigned find_pivot(const uint8_t *row, unsigned k)
{
    unsigned column = 0;
    uint64_t word;
    for (; column + 8 <= k; column += 8) {
        memcpy(&word, row + column, 8);
        if (word != 0)
            break;
    }
    while (column < k && row[column] == 0)
        column++;
    return column;
}

/* Makes a new row of the reduced form from coefficients: subtracts the rows there are, and the new one from them. row has
   stride bytes, and none in systematic columns. 0 when it is not innovative. */
static int reduce(generation *self, uint8_t *row)
{
    const gf_kernels *kernels = self->kernels;
    uint8_t factors[MAX_SYMBOLS + 1];
    unsigned pivot;
    for (unsigned n = 0; n < self->coded; n++)
        factors[n] = row[self->pivots[n]];
    kernels->combine(row, factors, self->reduced, self->stride, self->coded, self->stride);
    pivot = find_pivot(row, self->k);
    if (pivot == self->k)
        return 0;
    kernels->scale(row, gf_inverses[row[pivot]], self->stride);
    kernels->update(self->reduced, self->stride, pivot, self->coded, row, self->stride);
    memcpy(self->reduced + self->coded * self->stride, row, self->stride);
    self->pivots[self->coded++] = (uint8_t)pivot;
    return 1;
}

/* Drops the column of a symbol that came. The row that had its pivot there, if any, gets another pivot. 0 when that row was
   nothing but the symbol: it was known already. */
static int drop_column(generation *self, unsigned column)
{
    const size_t stride = self->stride;
    for (unsigned n = 0; n < self->coded; n++)
        if (self->pivots[n] == column) {
            uint8_t row[256] GF_ALIGNED;
            uint8_t *last;
            memcpy(row, self->reduced + n * stride, stride);
            row[column] = 0;
            if (find_pivot(row, self->k) == self->k)
                return 0;
            self->coded--;
            last = self->reduced + self->coded * stride;
            if (n != self->coded)
                memcpy(self->reduced + n * stride, last, stride);
            self->pivots[n] = self->pivots[self->coded];
            self->open[column] = 0;
            return reduce(self, row);
        }
    for (unsigned n = 0; n < self->coded; n++)
        self->reduced[n * stride + column] = 0;
    self->open[column] = 0;
    return 1;
}

int generation_add_symbol(generation *self, unsigned index, const uint8_t *payload, uint32_t tag)
{
    if (self->systematic + self->coded == self->k || self->states[index] == SLOT_SYSTEMATIC || !drop_column(self, index))
        return 0;
    if (self->states[index] == SLOT_CODED) {
        const unsigned other = find_free(self, index);
        memcpy(slot(self, other), slot(self, index), self->size);
        memcpy(vector_of(self, other), vector_of(self, index), self->stride);
        self->tags[other] = self->tags[index];
        self->states[other] = SLOT_CODED;
    }
    memmove(slot(self, index), payload, self->size);
    self->states[index] = SLOT_SYSTEMATIC;
    self->tags[index] = tag;
    self->systematic++;
    return 1;
}

static int make_matrices(generation *self)
{
    if (self->vectors == NULL)
        self->vectors = take_zeros(self->k, self->stride);
    if (self->reduced == NULL)
        self->reduced = take(self->k, self->stride);
    return self->vectors != NULL && self->reduced != NULL;
}

int generation_add_vector(generation *self, const uint8_t *vector, const uint8_t *payload, uint32_t tag)
{
    uint8_t row[256] GF_ALIGNED;
    unsigned index;
    if (self->systematic + self->coded == self->k)
        return 0;
    if (!make_matrices(self))
        return -1;
    memset(row, 0, self->stride);
    for (unsigned i = 0; i < self->k; i++)
        row[i] = vector[i] & self->open[i];
    if (!reduce(self, row))
        return 0;
    index = find_free(self, self->pivots[self->coded - 1]);
    memmove(slot(self, index), payload, self->size);
    memcpy(vector_of(self, index), vector, self->k);
    self->states[index] = SLOT_CODED;
    self->tags[index] = tag;
    return 1;
}

int generation_add_number(generation *self, uint32_t number, const uint8_t *payload, uint32_t tag)
{
    uint8_t vector[256];
    if (number < self->k)
        return generation_add_symbol(self, number, payload, tag);
    expand_seed(vector, number, self->parameters);
    return generation_add_vector(self, vector, payload, tag);
}

int generation_rebuild(generation *self)
{
    uint8_t row[256] GF_ALIGNED;
    self->systematic = self->coded = 0;
    for (unsigned i = 0; i < self->k; i++) {
        self->systematic += self->states[i] == SLOT_SYSTEMATIC;
        self->open[i] = self->states[i] == SLOT_SYSTEMATIC ? 0 : 255;
    }
    for (unsigned i = 0; i < self->k; i++)
        if (self->states[i] == SLOT_CODED) {
            if (!make_matrices(self))
                return 0;
            memset(row, 0, self->stride);
            for (unsigned j = 0; j < self->k; j++)
                row[j] = vector_of(self, i)[j] & self->open[j];
            reduce(self, row); /* part of an independent set: always innovative */
        }
    return 1;
}

void generation_remove(generation *self, unsigned index)
{
    self->states[index] = SLOT_FREE;
    memset(slot(self, index), 0, self->size);
    if (self->vectors != NULL)
        memset(vector_of(self, index), 0, self->stride);
}

void generation_vector(const generation *self, unsigned index, uint8_t *vector)
{
    if (self->states[index] == SLOT_CODED)
        memcpy(vector, vector_of(self, index), self->k);
    else {
        memset(vector, 0, self->k);
        vector[index] = 1;
    }
}

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

/* Puts combinations of all slots in place of the coded ones. matrix: coded x stride. Strip by strip, small enough for the
   first-level cache, so that what is written is the only thing held twice. 0 when there is no memory. */
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
        if (!make_matrices(self))
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

#define BATCH 32u

int generation_recode(const generation *self, const uint8_t *chosen, uint8_t *out, size_t count, size_t step, size_t head,
                      size_t body, uint64_t seed, unsigned density)
{
    const uint8_t *sources[MAX_SYMBOLS + 1], *vectors[MAX_SYMBOLS + 1];
    uint8_t slots[MAX_SYMBOLS + 1], matrix[BATCH * 256];
    uint8_t *payloads[BATCH], *sums[BATCH];
    unsigned used = 0, coded = 0;
    uint8_t *scratch;
    for (int wanted = SLOT_CODED; wanted >= SLOT_SYSTEMATIC; wanted--)
        for (unsigned i = 0; i < self->k; i++) {
            const int state = self->decoded && self->states[i] != SLOT_FREE ? SLOT_SYSTEMATIC : self->states[i];
            if (state != wanted || !chosen[i])
                continue;
            if (state == SLOT_CODED)
                vectors[coded++] = vector_of(self, i);
            sources[used] = slot(self, i);
            slots[used++] = (uint8_t)i;
        }
    if (used == 0)
        return 0;
    if ((scratch = take(BATCH, self->stride)) == NULL)
        return -1;
    for (size_t done = 0; done < count; done += BATCH) {
        const size_t batch = count - done < BATCH ? count - done : BATCH;
        for (size_t n = 0; n < batch; n++) {
            uint8_t *packet = out + (done + n) * step;
            uint8_t *factors = matrix + n * 256;
            expand_seed(factors, seed + done + n, (code){used, density, used});
            /* All of them: so a packet has what came last, the very one that the next relay does not know yet. */
            for (unsigned i = 0; density == DENSE && i < used; i++)
                factors[i] |= factors[i] == 0;
            payloads[n] = packet + body;
            sums[n] = scratch + n * self->stride;
        }
        self->kernels->product(sums, matrix, 256, batch, coded, vectors, self->stride);
        for (size_t n = 0; n < batch; n++) {
            for (unsigned i = coded; i < used; i++)
                sums[n][slots[i]] ^= matrix[n * 256 + i];
            memcpy(out + (done + n) * step + head, sums[n], self->k);
        }
        self->kernels->product(payloads, matrix, 256, batch, used, sources, self->size);
    }
    give_back(scratch);
    return 1;
}
