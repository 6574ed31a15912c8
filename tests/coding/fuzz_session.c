/* Random datagrams of sessions, and what becomes of them, beside a BLAKE2b and a window too simple to be wrong. */
#include "fuzz.h"

#include "gf256.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

unsigned long long sealed, judged;

static uint64_t turned(uint64_t word, unsigned bits)
{
    return word >> bits | word << (64 - bits);
}

/* RFC 7693, section 3.2, as it stands there. */
static void school_compress(uint64_t *h, const uint8_t *block, uint64_t bytes, int last)
{
    static const uint64_t start[8] = {UINT64_C(0x6A09E667F3BCC908), UINT64_C(0xBB67AE8584CAA73B),
                                      UINT64_C(0x3C6EF372FE94F82B), UINT64_C(0xA54FF53A5F1D36F1),
                                      UINT64_C(0x510E527FADE682D1), UINT64_C(0x9B05688C2B3E6C1F),
                                      UINT64_C(0x1F83D9ABFB41BD6B), UINT64_C(0x5BE0CD19137E2179)};
    static const char *const order[10] = {"0123456789ABCDEF", "EA489FD61C02B753", "B8C052FDAE367194", "7931DCBE265A40F8",
                                          "905724AFE1BC683D", "2C6A0B834D75FE19", "C51FED4A0763928B", "DB7EC13950F4862A",
                                          "6FE9B308C2D714A5", "A2847615FB9E3CD0"};
    static const unsigned mixed[8][4] = {{0, 4, 8, 12}, {1, 5, 9, 13}, {2, 6, 10, 14}, {3, 7, 11, 15},
                                         {0, 5, 10, 15}, {1, 6, 11, 12}, {2, 7, 8, 13}, {3, 4, 9, 14}};
    uint64_t v[16], m[16] = {0};
    for (unsigned i = 0; i < 128; i++)
        m[i / 8] |= (uint64_t)block[i] << 8 * (i % 8);
    for (unsigned i = 0; i < 8; i++) {
        v[i] = h[i];
        v[8 + i] = start[i];
    }
    v[12] ^= bytes;
    if (last)
        v[14] = ~v[14];
    for (unsigned round = 0; round < 12; round++) {
        const char *next = order[round % 10];
        for (unsigned step = 0; step < 8; step++) {
            uint64_t *a = &v[mixed[step][0]], *b = &v[mixed[step][1]], *c = &v[mixed[step][2]], *d = &v[mixed[step][3]];
            for (unsigned half = 0; half < 2; half++) {
                const unsigned word = *next <= '9' ? (unsigned)(*next - '0') : (unsigned)(*next - 'A') + 10;
                next++;
                *a += *b + m[word];
                *d = turned(*d ^ *a, half ? 16 : 32);
                *c += *d;
                *b = turned(*b ^ *c, half ? 63 : 24);
            }
        }
    }
    for (unsigned i = 0; i < 8; i++)
        h[i] ^= v[i] ^ v[8 + i];
}

static void school_mac(uint8_t *out, const uint8_t *key, const uint8_t *data, size_t size)
{
    uint64_t h[8] = {UINT64_C(0x6A09E667F3BCC908) ^ 0x01012010u, UINT64_C(0xBB67AE8584CAA73B),
                     UINT64_C(0x3C6EF372FE94F82B),               UINT64_C(0xA54FF53A5F1D36F1),
                     UINT64_C(0x510E527FADE682D1),               UINT64_C(0x9B05688C2B3E6C1F),
                     UINT64_C(0x1F83D9ABFB41BD6B),               UINT64_C(0x5BE0CD19137E2179)};
    uint8_t block[128] = {0};
    memcpy(block, key, 32);
    school_compress(h, block, 128, 0);
    for (size_t at = 0; at < size; at += 128) {
        const size_t some = size - at < 128 ? size - at : 128;
        memset(block, 0, sizeof block);
        memcpy(block, data + at, some);
        school_compress(h, block, 128 + at + some, at + some == size);
    }
    for (unsigned i = 0; i < 16; i++)
        out[i] = (uint8_t)(h[i / 8] >> 8 * (i % 8));
}

static void fuzz_macs(void)
{
    const size_t size = draw(2) ? 1 + draw(300) : 128 * (1 + draw(11)) + draw(3), count = draw(20);
    uint8_t *data[MOST_LANES * 3], *keys[2], out[MOST_LANES * 3][MAC_SIZE], expected[MAC_SIZE];
    mac_key made[2];
    const mac_key *those[MOST_LANES * 3];
    unsigned which[MOST_LANES * 3];
    for (unsigned n = 0; n < 2; n++) {
        keys[n] = noise(MAC_KEY_SIZE);
        mac_begin(&made[n], keys[n]);
    }
    for (size_t n = 0; n < count; n++) {
        data[n] = noise(size);
        which[n] = draw(2);
        those[n] = &made[which[n]];
    }
    mac_some(gf_current->macs, out, those, (const uint8_t *const *)data, size, count);
    for (size_t n = 0; n < count; n++) {
        school_mac(expected, keys[which[n]], data[n], size);
        require(memcmp(out[n], expected, MAC_SIZE) == 0, "MAC");
        free(data[n]);
    }
    free(keys[0]);
    free(keys[1]);
}

static void fuzz_lay(void)
{
    const size_t symbol = 1 + draw(300), length = draw(1000), count = draw(12), step = OVERHEAD + symbol;
    uint8_t *segment = noise(length), *scheduled = noise(count * SCHEDULED_SIZE), *made = block(count * step);
    const uint32_t generation = draw(2) ? draw(1000) : UINT32_MAX - draw(3);
    for (size_t n = 0; n < count; n++)
        if (draw(8))
            put_32(scheduled + n * SCHEDULED_SIZE + 8, draw((uint32_t)length + 2));
    memset(made, 0xEE, count * step);
    lay_symbols(made, symbol, scheduled, count, generation, segment, length);
    for (size_t n = 0; n < count; n++) {
        const uint8_t *record = scheduled + n * SCHEDULED_SIZE, *datagram = made + n * step;
        require(get_32(datagram + HEAD_SIZE) == (uint32_t)(generation + get_32(record)), "generation");
        require(get_32(datagram + HEAD_SIZE + 4) == get_32(record + 4), "number");
        for (size_t i = 0; i < symbol; i++) {
            const uint64_t at = (uint64_t)get_32(record + 8) + i;
            require(datagram[SYMBOL_AT + i] == (at < length ? segment[at] : 0), "symbol");
        }
        require(datagram[0] == 0xEE && datagram[step - 1] == 0xEE, "head and MAC are not ours to write");
    }
    free(segment);
    free(scheduled);
    free(made);
}

/* What was seen of a stream: all of it. */
#define SEQUENCES 20000u
typedef struct {
    uint8_t seen[SEQUENCES];
    int64_t highest;
    uint64_t count;
} memory;

static int school_is_new(memory *self, uint32_t sequence)
{
    if (self->seen[sequence] || (int64_t)sequence <= self->highest - 1024)
        return 0;
    self->seen[sequence] = 1;
    self->count++;
    if ((int64_t)sequence > self->highest)
        self->highest = sequence;
    return 1;
}

static int is_form(uint8_t byte)
{
    return (byte >= 0xC1 && byte <= 0xC4) || (byte >= 0xD1 && byte <= 0xD4);
}

static const uint8_t tag[TAG_SIZE] = "session";

/* Of a stream of its own, and of one that nobody listens to; the keys of the ciphers may be missing. */
typedef struct {
    uint8_t *keys[3], *ciphers[3];
} secrets;

/* Makes an honest datagram in place, then perhaps something else of it. Gives what must become of it, but for the
   sequence. */
static enum verdict make_datagram(uint8_t *datagram, size_t size, const secrets *those, uint32_t *sequence)
{
    mac_key key;
    cipher_state cipher;
    head common = {.form = (uint8_t)(0xC1 + draw(4) + 16 * draw(2)), .ask = (uint8_t)draw(256), .time = draw(1u << 31)};
    const unsigned way = (common.form & 0x10) != 0, spoilt = draw(10);
    const int64_t wanted = (int64_t)*sequence + (draw(3) ? 1 : draw(30) ? -(int64_t)draw(1100) : (int64_t)draw(2500));
    memcpy(common.tag, tag, TAG_SIZE);
    *sequence = wanted < 0 ? 0 : wanted >= SEQUENCES ? draw(SEQUENCES) : (uint32_t)wanted;
    common.sequence = *sequence;
    if (size < LEAST_DATAGRAM || size > MOST_DATAGRAM)
        return WRONG_LENGTH;
    const unsigned used = those->keys[way] != NULL ? way : 2;
    mac_begin(&key, those->keys[used]);
    if (those->ciphers[used] != NULL)
        cipher_begin(&cipher, those->ciphers[used]);
    const sealing with = {&key, gf_current->macs, those->ciphers[used] != NULL ? &cipher : NULL, gf_current->cipher};
    seal_datagrams(&common, &with, datagram, size, 1);
    sealed++;
    if (spoilt == 0) {
        datagram[draw((uint32_t)size)] ^= (uint8_t)(1 + draw(255));
        if (!is_form(datagram[0]))
            return WRONG_FORM;
        return memcmp(datagram + 1, tag, TAG_SIZE) != 0 ? FOREIGN : WRONG_MAC;
    }
    return used == 2 ? WRONG_MAC : ACCEPTED;
}

/* What was accepted is what was written, and nothing else was touched. wire: all as it came, plain: before it was
   sealed. */
static void check_bodies(const arrived *from, const uint8_t *wire, const uint8_t *plain, const secrets *those,
                         const uint8_t *verdicts)
{
    for (size_t n = 0; n < from->count; n++) {
        const size_t begin = n * from->size, length = datagram_length(from, n);
        uint8_t *body;
        if (length < LEAST_DATAGRAM)
            continue;
        const unsigned way = (from->data[begin] & FORM_UNICAST) != 0;
        const size_t inside = length - HEAD_SIZE - MAC_SIZE;
        require(memcmp(from->data + begin, wire + begin, HEAD_SIZE) == 0, "head");
        require(memcmp(from->data + begin + length - MAC_SIZE, wire + begin + length - MAC_SIZE, MAC_SIZE) == 0, "end");
        if (verdicts[n] != ACCEPTED) {
            require(memcmp(from->data + begin, wire + begin, length) == 0, "what is not accepted is left alone");
            continue;
        }
        require(memcmp(from->data + begin + HEAD_SIZE, plain + begin + HEAD_SIZE, inside) == 0, "body");
        body = block(inside);
        memcpy(body, wire + begin + HEAD_SIZE, inside);
        if (those->ciphers[way] != NULL)
            school_cipher(body, those->ciphers[way], wire + begin + NONCE_AT, inside);
        require(memcmp(body, plain + begin + HEAD_SIZE, inside) == 0, "body on the wire");
        free(body);
    }
}

static void judge(streams *self, memory *memories, const secrets *those, uint32_t *sequence)
{
    const size_t size = draw(6) ? 35 + draw(200) : draw(1500), count = 1 + draw(20);
    const size_t last = draw(2) || size == 0 ? size : draw((uint32_t)size);
    const size_t length = (count - 1) * size + last, told = count + (draw(20) == 0);
    uint8_t *data = noise(length), *plain = block(length), *wire = block(length), *verdicts = block(told), expected[22];
    const arrived from = {data, length, size, told};
    uint32_t accepted = 0;
    summary found;
    memcpy(plain, data, length);
    for (size_t n = 0; n < count; n++) {
        uint8_t *datagram = length > 0 && n * size < length ? data + n * size : data;
        expected[n] = (uint8_t)make_datagram(datagram, n + 1 < count ? size : last, those, sequence);
        if (expected[n] == ACCEPTED && !school_is_new(&memories[(datagram[0] & 0x10) != 0], get_32(datagram + 9)))
            expected[n] = REPLAYED;
        accepted += expected[n] == ACCEPTED;
    }
    expected[count] = WRONG_LENGTH;
    memcpy(wire, data, length);
    streams_check(self, gf_current->macs, &from, verdicts);
    streams_admit(self, &from, verdicts, 1.5, draw(1u << 31), &found);
    streams_decrypt(self, gf_current->cipher, &from, data, verdicts);
    check_bodies(&from, wire, plain, those, verdicts);
    require(memcmp(verdicts, expected, told) == 0, "verdicts");
    require(found.accepted == accepted, "accepted");
    for (unsigned way = 0; way < 2; way++)
        require(self->streams[way].highest == memories[way].highest && self->streams[way].count == memories[way].count,
                "arrival");
    judged += told;
    free(data);
    free(plain);
    free(wire);
    free(verdicts);
}

static void fuzz_streams(void)
{
    secrets those;
    memory *memories = (memory *)(void *)block(2 * sizeof *memories);
    uint32_t sequence = draw(SEQUENCES);
    streams self;
    memset(memories, 0, 2 * sizeof *memories);
    memcpy(self.tag, tag, TAG_SIZE);
    for (unsigned n = 0; n < 3; n++) {
        those.keys[n] = n == 2 || draw(10) ? noise(MAC_KEY_SIZE) : NULL;
        those.ciphers[n] = draw(2) ? noise(CIPHER_KEY_SIZE) : NULL;
    }
    for (unsigned way = 0; way < 2; way++) {
        memories[way].highest = -1;
        stream_open(&self.streams[way], those.keys[way], those.ciphers[way]);
    }
    for (unsigned batches = draw(20); batches-- > 0;)
        judge(&self, memories, &those, &sequence);
    for (unsigned n = 0; n < 3; n++) {
        free(those.keys[n]);
        free(those.ciphers[n]);
    }
    free(memories);
}

void fuzz_session(void)
{
    static void (*const kinds[])(void) = {fuzz_macs, fuzz_lay, fuzz_streams, fuzz_cipher};
    kinds[draw(4)]();
}
