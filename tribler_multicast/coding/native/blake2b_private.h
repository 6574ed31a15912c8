/* What the files about BLAKE2b share. */
#ifndef TRIBLER_MULTICAST_BLAKE2B_PRIVATE_H
#define TRIBLER_MULTICAST_BLAKE2B_PRIVATE_H

#include "blake2b.h"

#include <string.h>

/* The first 64 bits of the fractions of the square roots of 2, 3, 5, 7, 11, 13, 17, 19. */
static const uint64_t blake2b_start[8] = {
    UINT64_C(0x6A09E667F3BCC908), UINT64_C(0xBB67AE8584CAA73B), UINT64_C(0x3C6EF372FE94F82B),
    UINT64_C(0xA54FF53A5F1D36F1), UINT64_C(0x510E527FADE682D1), UINT64_C(0x9B05688C2B3E6C1F),
    UINT64_C(0x1F83D9ABFB41BD6B), UINT64_C(0x5BE0CD19137E2179)};

#endif
