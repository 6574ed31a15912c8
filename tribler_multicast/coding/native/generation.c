/* What comes, and which of it is innovative. */
#include "generation_private.h"

int generation_create(generation *self, code parameters, size_t size, uint8_t *room)
{
    memset(self, 0, sizeof *self);
    self->kernels = gf_current;
    self->parameters = parameters;
    self->k = parameters.k;
    self->size = size;
    self->stride = (self->k + GF_ALIGN - 1) / GF_ALIGN * GF_ALIGN;
    memset(self->open, 255, self->k);
    if (room == NULL)
        self->taken = take_zeros(self->k, size);
    self->data = room == NULL ? self->taken : room;
    return self->data != NULL;
}

void generation_destroy(generation *self)
{
    give_back(self->taken);
    give_back(self->vectors);
    give_back(self->reduced);
    memset(self, 0, sizeof *self);
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

/* Makes a new row of the reduced form from coefficients: subtracts the rows there are, and the new one from them. row
   has stride bytes, and none in systematic columns. 0 when it is not innovative. */
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

/* Drops the column of a symbol that came. The row that had its pivot there, if any, gets another pivot. 0 when that row
   was nothing but the symbol: it was known already. */
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
    if (self->systematic + self->coded == self->k || self->states[index] == SLOT_SYSTEMATIC
        || !drop_column(self, index))
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

int generation_make_matrices(generation *self)
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
    if (!generation_make_matrices(self))
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
            if (!generation_make_matrices(self))
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
