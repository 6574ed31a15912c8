/* What the files about generations share. */
#ifndef TRIBLER_MULTICAST_GENERATION_PRIVATE_H
#define TRIBLER_MULTICAST_GENERATION_PRIVATE_H

#include "generation.h"

#include <stdlib.h>
#include <string.h>

/* Memory at the beginning of a cache line; NULL when there is none. To be given back with give_back. */
static inline uint8_t *take(size_t count, size_t size)
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

static inline uint8_t *take_zeros(size_t count, size_t size)
{
    uint8_t *taken = take(count, size);
    if (taken != NULL)
        memset(taken, 0, count * size);
    return taken;
}

static inline void give_back(uint8_t *aligned)
{
    void *whole;
    if (aligned == NULL)
        return;
    memcpy(&whole, aligned - sizeof(void *), sizeof(void *));
    free(whole);
}

static inline uint8_t *slot(const generation *self, unsigned index)
{
    return self->data + (size_t)index * self->size;
}

static inline uint8_t *vector_of(const generation *self, unsigned index)
{
    return self->vectors + (size_t)index * self->stride;
}

/* Makes room for vectors and reduced, where there is none. 0 when there is no memory. */
int generation_make_matrices(generation *self);

#endif
