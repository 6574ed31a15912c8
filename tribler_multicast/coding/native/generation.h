/* One generation at a receiver: what came, and what it means. Plain C99, no Python.

   Symbol i, if it came systematic, lies in slot i of ``data``. Coded packets lie, as they came, in slots that are still
   free; ``vectors`` has their coefficients. Which packets are innovative is found with coefficients alone
   (``reduced``); the payloads are touched once, by one matrix product, when the generation is complete. That product is
   done in place. */
#ifndef TRIBLER_MULTICAST_GENERATION_H
#define TRIBLER_MULTICAST_GENERATION_H

#include "coefficients.h"
#include "gf256.h"

enum slot_state { SLOT_FREE, SLOT_SYSTEMATIC, SLOT_CODED };

typedef struct {
    const gf_kernels *kernels; /* may be changed between calls */
    code parameters;
    unsigned k;
    size_t size;   /* of a symbol */
    size_t stride; /* of a row of coefficients: k rounded up to GF_ALIGN */
    uint8_t *data; /* k x size */
    uint8_t *taken; /* the same when it was not given to us, else NULL */
    /* Made with the first coded packet: */
    uint8_t *vectors; /* k x stride, by slot: coefficients of the coded packets */
    /* coded x stride: reduced row echelon form of them, without the systematic columns; NULL if decoded */
    uint8_t *reduced;
    uint8_t pivots[MAX_SYMBOLS + 1]; /* of the rows of reduced */
    uint8_t open[256];               /* 255 for columns that are not systematic */
    uint8_t states[MAX_SYMBOLS + 1];
    uint32_t tags[MAX_SYMBOLS + 1];
    unsigned systematic, coded; /* their sum is the rank */
    int decoded;
} generation;

/* 0 when there is no memory. size is at least 1, parameters are those of a code. room: k x size for the data, which the
   caller keeps for as long; NULL: take it. */
int generation_create(generation *self, code parameters, size_t size, uint8_t *room);
void generation_destroy(generation *self);

/* A packet: 1 innovative, 0 not, -1 no memory. Nothing is kept of one that is not innovative. */
int generation_add_symbol(generation *self, unsigned index, const uint8_t *payload, uint32_t tag);
/* vector has k bytes. */
int generation_add_vector(generation *self, const uint8_t *vector, const uint8_t *payload, uint32_t tag);
/* number below k: that symbol, else the seed of a vector. */
int generation_add_number(generation *self, uint32_t number, const uint8_t *payload, uint32_t tag);

/* At full rank: makes symbols of the coded packets. 0 when there is no memory. */
int generation_decode(generation *self);
/* The opposite of decode: the coded packets lie again as they came. 0 when there is no memory. */
int generation_restore(generation *self);
/* Forgets a packet; afterwards generation_rebuild must be called, once for many. Not while decoded. */
void generation_remove(generation *self, unsigned slot);
/* Finds the rank anew from what is stored. 0 when there is no memory. */
int generation_rebuild(generation *self);
/* The coefficients of what is in a slot: k bytes. The slot is not free. */
void generation_vector(const generation *self, unsigned slot, uint8_t *vector);
/* The packet in a slot as it came, also when decoded: size bytes. */
void generation_packet(const generation *self, unsigned slot, uint8_t *payload);

/* New combinations of the packets in the chosen slots (1 byte each: whether): ``count`` packets; that of number n has
   its k coefficients at out + n * step + head and its payload at out + n * step + body. density says how the factors are
   drawn from the seeds seed, seed + 1, ... 0 when nothing is chosen, -1 when there is no memory. */
int generation_recode(const generation *self, const uint8_t *chosen, uint8_t *out, size_t count, size_t step,
                      size_t head, size_t body, uint64_t seed, unsigned density);

#endif
