/* BLAKE2b, a packet in each lane of a vector. Included once per vector width, with: NAME(x), TARGET, VECTOR (of LANES
   64-bit words), NARROWER, LOAD, STORE, SET, ADD, XOR, ROTATE32, ROTATE24, ROTATE16, ROTATE63, and NAME(words), which
   loads LANES words of each packet and turns them, so that each vector has the same word of all packets. */

#define MIX(a, b, c, d, x, y)                                                                                          \
    a = ADD(ADD(a, b), x);                                                                                             \
    d = ROTATE32(XOR(d, a));                                                                                           \
    c = ADD(c, d);                                                                                                     \
    b = ROTATE24(XOR(b, c));                                                                                           \
    a = ADD(ADD(a, b), y);                                                                                             \
    d = ROTATE16(XOR(d, a));                                                                                           \
    c = ADD(c, d);                                                                                                     \
    b = ROTATE63(XOR(b, c));

#define ROUND(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15)                                    \
    MIX(v[0], v[4], v[8], v[12], m[s0], m[s1])                                                                         \
    MIX(v[1], v[5], v[9], v[13], m[s2], m[s3])                                                                         \
    MIX(v[2], v[6], v[10], v[14], m[s4], m[s5])                                                                        \
    MIX(v[3], v[7], v[11], v[15], m[s6], m[s7])                                                                        \
    MIX(v[0], v[5], v[10], v[15], m[s8], m[s9])                                                                        \
    MIX(v[1], v[6], v[11], v[12], m[s10], m[s11])                                                                      \
    MIX(v[2], v[7], v[8], v[13], m[s12], m[s13])                                                                       \
    MIX(v[3], v[4], v[9], v[14], m[s14], m[s15])

/* One block; bytes: how many have been taken with it, the block of the key too. */
TARGET static void NAME(compress)(VECTOR *h, const uint8_t *const *data, size_t at, uint64_t bytes, uint64_t last)
{
    VECTOR m[16], v[16];
    for (size_t word = 0; word < 16; word += LANES)
        NAME(words)(m + word, data, at + 8 * word);
    for (size_t i = 0; i < 8; i++) {
        v[i] = h[i];
        v[8 + i] = SET(blake2b_start[i]);
    }
    v[12] = XOR(v[12], SET(bytes));
    v[14] = XOR(v[14], SET(last));
    ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    ROUND(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3)
    ROUND(11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4)
    ROUND(7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8)
    ROUND(9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13)
    ROUND(2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9)
    ROUND(12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11)
    ROUND(13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10)
    ROUND(6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5)
    ROUND(10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0)
    ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    ROUND(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3)
    for (size_t i = 0; i < 8; i++)
        h[i] = XOR(XOR(h[i], v[i]), v[8 + i]);
}

TARGET static void NAME(macs)(uint8_t (*out)[MAC_SIZE], const mac_key *const *keys, const uint8_t *const *data,
                              size_t size)
{
    VECTOR h[8];
    uint64_t words[LANES];
    uint8_t rest[LANES][BLAKE2B_BLOCK];
    const uint8_t *last[LANES];
    size_t at = 0;
    for (size_t word = 0; word < 8; word++) {
        for (size_t lane = 0; lane < LANES; lane++)
            words[lane] = keys[lane]->words[word];
        h[word] = LOAD(words);
    }
    for (; size - at > BLAKE2B_BLOCK; at += BLAKE2B_BLOCK)
        NAME(compress)(h, data, at, BLAKE2B_BLOCK + at + BLAKE2B_BLOCK, 0);
    for (size_t lane = 0; lane < LANES; lane++) {
        memcpy(rest[lane], data[lane] + at, size - at);
        memset(rest[lane] + (size - at), 0, BLAKE2B_BLOCK - (size - at));
        last[lane] = rest[lane];
    }
    NAME(compress)(h, last, 0, BLAKE2B_BLOCK + size, UINT64_MAX);
    for (size_t word = 0; word < MAC_SIZE / 8; word++) {
        STORE(words, h[word]);
        for (size_t lane = 0; lane < LANES; lane++)
            for (size_t byte = 0; byte < 8; byte++)
                out[lane][8 * word + byte] = (uint8_t)(words[lane] >> 8 * byte);
    }
}

const mac_lanes NAME(lanes) = {LANES, NAME(macs), NARROWER};

#undef MIX
#undef ROUND
