/* ChaCha20, a block in each lane of a vector. Included once per vector width, with: NAME(x), TARGET, VECTOR (of LANES
   32-bit words), NARROWER, SET, COUNT (a word, and 0, 1, 2... added to it), ADD, XOR, ROTATE16, ROTATE12, ROTATE8,
   ROTATE7, and NAME(spread), which writes the words of each block one behind the other, little-endian. */

#define QUARTER(a, b, c, d)                                                                                            \
    a = ADD(a, b);                                                                                                     \
    d = ROTATE16(XOR(d, a));                                                                                           \
    c = ADD(c, d);                                                                                                     \
    b = ROTATE12(XOR(b, c));                                                                                           \
    a = ADD(a, b);                                                                                                     \
    d = ROTATE8(XOR(d, a));                                                                                            \
    c = ADD(c, d);                                                                                                     \
    b = ROTATE7(XOR(b, c));

TARGET static void NAME(apply)(cipher_state *state, uint8_t *data, size_t size)
{
    VECTOR v[CIPHER_WORDS];
    uint8_t stream[LANES * CIPHER_BLOCK];
    for (size_t i = 0; i < CIPHER_WORDS; i++)
        v[i] = SET(state->words[i]);
    v[CIPHER_COUNTER] = COUNT(state->words[CIPHER_COUNTER]);
    for (unsigned round = 0; round < 10; round++) {
        QUARTER(v[0], v[4], v[8], v[12])
        QUARTER(v[1], v[5], v[9], v[13])
        QUARTER(v[2], v[6], v[10], v[14])
        QUARTER(v[3], v[7], v[11], v[15])
        QUARTER(v[0], v[5], v[10], v[15])
        QUARTER(v[1], v[6], v[11], v[12])
        QUARTER(v[2], v[7], v[8], v[13])
        QUARTER(v[3], v[4], v[9], v[14])
    }
    for (size_t i = 0; i < CIPHER_WORDS; i++)
        v[i] = ADD(v[i], i == CIPHER_COUNTER ? COUNT(state->words[i]) : SET(state->words[i]));
    NAME(spread)(stream, v);
    cipher_add(data, stream, size);
    state->words[CIPHER_COUNTER] += LANES;
}

const cipher_lanes NAME(lanes) = {LANES, NAME(apply), NARROWER};

#undef QUARTER
