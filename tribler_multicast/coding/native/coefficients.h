/* From a seed to coefficients, as coefficients.py specifies it byte by byte. */
#ifndef TRIBLER_MULTICAST_COEFFICIENTS_H
#define TRIBLER_MULTICAST_COEFFICIENTS_H

#include <stddef.h>
#include <stdint.h>

#define MAX_SYMBOLS 255u
#define DENSE 256u

typedef struct {
    unsigned k;       /* 1 to MAX_SYMBOLS */
    unsigned density; /* 1 to DENSE */
    unsigned band;    /* 1 to k */
} code;

/* out has at least k bytes; those after them are left alone. */
void expand_seed(uint8_t *out, uint64_t seed, code parameters);

#endif
