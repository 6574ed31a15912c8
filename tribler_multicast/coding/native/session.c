/* The datagrams of a session, many at once. */
#include "session.h"

#include <string.h>

void stream_open(stream *self, const uint8_t *key, const uint8_t *cipher)
{
    memset(self, 0, sizeof *self);
    self->is_open = key != NULL;
    if (key != NULL)
        mac_begin(&self->key, key);
    self->is_encrypted = key != NULL && cipher != NULL;
    if (self->is_encrypted)
        cipher_begin(&self->cipher, cipher);
    self->highest = -1;
    memset(self->seen, 255, sizeof self->seen);
}

/* Up to MOST_LANES datagrams of the same length whose MACs are checked at once. */
typedef struct {
    const mac_lanes *lanes;
    size_t count, length;
    const mac_key *keys[MOST_LANES];
    const uint8_t *data[MOST_LANES];
    uint8_t *verdicts[MOST_LANES];
} waiting;

static void check_macs(waiting *those)
{
    uint8_t macs[MOST_LANES][MAC_SIZE];
    mac_some(those->lanes, macs, those->keys, those->data, those->length - MAC_SIZE, those->count);
    for (size_t n = 0; n < those->count; n++) {
        const uint8_t *told = those->data[n] + those->length - MAC_SIZE;
        uint8_t difference = 0;
        for (size_t byte = 0; byte < MAC_SIZE; byte++)
            difference |= (uint8_t)(told[byte] ^ macs[n][byte]);
        *those->verdicts[n] = difference ? WRONG_MAC : ACCEPTED;
    }
    those->count = 0;
}

static enum verdict look(const streams *self, const uint8_t *datagram, size_t length)
{
    unsigned form;
    if (length < LEAST_DATAGRAM || length > MOST_DATAGRAM)
        return WRONG_LENGTH;
    form = datagram[0] & ~(unsigned)FORM_UNICAST;
    if (form < FORM_NUMBERED || form > FORM_HEARTBEAT)
        return WRONG_FORM;
    if (memcmp(datagram + 1, self->tag, TAG_SIZE) != 0)
        return FOREIGN;
    return ACCEPTED;
}

static inline unsigned way_of(const uint8_t *datagram)
{
    return (datagram[0] & FORM_UNICAST) != 0;
}

void streams_check(const streams *self, const mac_lanes *lanes, const arrived *from, uint8_t *verdicts)
{
    waiting those = {.lanes = lanes};
    for (size_t n = 0; n < from->count; n++) {
        const size_t length = datagram_length(from, n);
        /* Of one without bytes nothing is read, wherever it would lie. */
        const uint8_t *datagram = length ? from->data + n * from->size : from->data;
        const stream *its;
        verdicts[n] = look(self, datagram, length);
        if (verdicts[n] != ACCEPTED)
            continue;
        its = &self->streams[way_of(datagram)];
        if (!its->is_open) {
            verdicts[n] = WRONG_MAC;
            continue;
        }
        if (those.count > 0 && (those.length != length || those.count == lanes->lanes))
            check_macs(&those);
        those.length = length;
        those.keys[those.count] = &its->key;
        those.data[those.count] = datagram;
        those.verdicts[those.count++] = &verdicts[n];
    }
    if (those.count > 0)
        check_macs(&those);
}

/* Marks a sequence as seen; 0 when it was, or is too old to know. The bit of a sequence is that of it modulo
   REPLAY_WINDOW. */
static int is_new(stream *self, uint32_t sequence)
{
    const int64_t ahead = (int64_t)sequence - self->highest;
    const uint64_t bit = UINT64_C(1) << sequence % 64;
    uint64_t *word = &self->seen[sequence % REPLAY_WINDOW / 64];
    if (ahead > 0) {
        if (ahead >= (int64_t)REPLAY_WINDOW)
            memset(self->seen, 0, sizeof self->seen);
        else
            for (uint32_t skipped = (uint32_t)(self->highest + 1); skipped != sequence; skipped++)
                self->seen[skipped % REPLAY_WINDOW / 64] &= ~(UINT64_C(1) << skipped % 64);
        self->highest = sequence;
    } else if (-ahead >= (int64_t)REPLAY_WINDOW || (*word & bit) != 0)
        return 0;
    *word |= bit;
    return 1;
}

void streams_admit(streams *self, const arrived *from, uint8_t *verdicts, double now, uint32_t clock, summary *found)
{
    memset(found, 0, sizeof *found);
    for (size_t n = 0; n < from->count; n++) {
        const uint8_t *datagram;
        stream *its;
        uint32_t sequence, delay;
        int64_t before;
        if (verdicts[n] != ACCEPTED)
            continue;
        datagram = from->data + n * from->size;
        its = &self->streams[way_of(datagram)];
        sequence = get_32(datagram + 9);
        before = its->highest;
        if (!is_new(its, sequence)) {
            verdicts[n] = REPLAYED;
            continue;
        }
        found->time = get_32(datagram + 13);
        if (its->highest > before) {
            its->time = found->time;
            its->at = now;
        }
        its->count++;
        delay = clock - found->time;
        /* Modulo 2^32: less is what is less than half the circle behind. */
        if (found->accepted == 0 || delay - found->least >= UINT32_C(1) << 31)
            found->least = delay;
        found->accepted++;
        found->ask = (uint8_t)((found->ask & 0x80u) | datagram[17]);
    }
}

void streams_decrypt(const streams *self, const cipher_lanes *lanes, const arrived *from, uint8_t *data,
                     const uint8_t *verdicts)
{
    for (size_t n = 0; n < from->count; n++) {
        uint8_t *datagram;
        const stream *its;
        if (verdicts[n] != ACCEPTED)
            continue;
        datagram = data + n * from->size;
        its = &self->streams[way_of(datagram)];
        if (its->is_encrypted)
            cipher_packet(lanes, &its->cipher, datagram + NONCE_AT, datagram + HEAD_SIZE,
                          datagram_length(from, n) - HEAD_SIZE - MAC_SIZE);
    }
}

void seal_datagrams(const head *common, const sealing *with, uint8_t *datagrams, size_t size, size_t count)
{
    const mac_key *keys[MOST_LANES];
    const uint8_t *data[MOST_LANES];
    uint8_t macs[MOST_LANES][MAC_SIZE];
    for (size_t first = 0; first < count;) {
        const size_t lanes = with->lanes->lanes, some = count - first < lanes ? count - first : lanes;
        for (size_t n = 0; n < some; n++) {
            uint8_t *datagram = datagrams + (first + n) * size;
            datagram[0] = common->form;
            memcpy(datagram + 1, common->tag, TAG_SIZE);
            put_32(datagram + 9, common->sequence + (uint32_t)(first + n));
            put_32(datagram + 13, common->time);
            datagram[17] = common->ask;
            if (with->cipher != NULL)
                cipher_packet(with->cipher_lanes, with->cipher, datagram + NONCE_AT, datagram + HEAD_SIZE,
                              size - HEAD_SIZE - MAC_SIZE);
            keys[n] = with->key;
            data[n] = datagram;
        }
        mac_some(with->lanes, macs, keys, data, size - MAC_SIZE, some);
        for (size_t n = 0; n < some; n++)
            memcpy(datagrams + (first + n) * size + size - MAC_SIZE, macs[n], MAC_SIZE);
        first += some;
    }
}

void lay_symbols(uint8_t *datagrams, size_t symbol, const uint8_t *scheduled, size_t count, uint32_t generation,
                 const uint8_t *segment, size_t length)
{
    for (size_t n = 0; n < count; n++, scheduled += SCHEDULED_SIZE) {
        uint8_t *datagram = datagrams + n * (OVERHEAD + symbol);
        const size_t at = get_32(scheduled + 8), left = at < length ? length - at : 0;
        const size_t there = left < symbol ? left : symbol;
        put_32(datagram + HEAD_SIZE, generation + get_32(scheduled));
        memcpy(datagram + HEAD_SIZE + 4, scheduled + 4, 4);
        if (there > 0)
            memcpy(datagram + SYMBOL_AT, segment + at, there);
        memset(datagram + SYMBOL_AT + there, 0, symbol - there);
    }
}
