/* The datagrams of a session, many at once: heads, encryption, MACs and sequences. Plain C99, no Python. What the bytes mean is
   told in transfer/session/packets.py; fallback_datagrams.py there does the same. */
#ifndef TRIBLER_MULTICAST_SESSION_H
#define TRIBLER_MULTICAST_SESSION_H

#include "blake2b.h"
#include "chacha20.h"

#define TAG_SIZE 8u
#define HEAD_SIZE 18u
/* Tag and sequence of a datagram are the nonce of what is behind its head. */
#define NONCE_AT 1u
#define PLACE_SIZE 8u
#define SYMBOL_AT (HEAD_SIZE + PLACE_SIZE)
#define OVERHEAD (SYMBOL_AT + MAC_SIZE)
#define LEAST_DATAGRAM (HEAD_SIZE + 1u + MAC_SIZE)
#define MOST_DATAGRAM 1452u
#define REPLAY_WINDOW 1024u

enum form { FORM_NUMBERED = 0xC1, FORM_RECODED = 0xC2, FORM_PROOF = 0xC3, FORM_HEARTBEAT = 0xC4, FORM_UNICAST = 0x10 };

/* What becomes of a datagram. The same numbers as in fallback_datagrams.py. */
enum verdict { ACCEPTED, WRONG_LENGTH, WRONG_FORM, FOREIGN, WRONG_MAC, REPLAYED };

static inline uint32_t get_32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static inline void put_32(uint8_t *bytes, uint32_t value)
{
    for (unsigned byte = 0; byte < 4; byte++)
        bytes[byte] = (uint8_t)(value >> (24 - 8 * byte));
}

/* How one stream arrives. */
typedef struct {
    mac_key key;
    int is_open; /* 0: there is no key, nothing is taken */
    int is_encrypted;
    cipher_state cipher; /* when it is */
    int64_t highest;
    uint64_t count;
    uint32_t time; /* in the datagram with the highest sequence */
    double at;     /* when that came */
    uint64_t seen[REPLAY_WINDOW / 64];
} stream;

typedef struct {
    uint8_t tag[TAG_SIZE];
    stream streams[2]; /* of the group, by unicast */
} streams;

/* Datagrams that came together: number n is at n * size, as long as that, or as there is left. */
typedef struct {
    const uint8_t *data;
    size_t length, size, count;
} arrived;

static inline size_t datagram_length(const arrived *from, size_t n)
{
    const size_t begin = n * from->size;
    if (begin >= from->length)
        return 0;
    return from->length - begin < from->size ? from->length - begin : from->size;
}

/* What is to be known of those that were accepted. */
typedef struct {
    uint32_t accepted;
    uint32_t least; /* delay */
    uint32_t time;  /* in the last one */
    uint8_t ask;    /* in the last one; bit 7: of any */
} summary;

/* key: 32 bytes, or NULL. cipher: 32 bytes, or NULL: bodies are in clear. */
void stream_open(stream *self, const uint8_t *key, const uint8_t *cipher);

/* The first part: length, form, tag and MAC of each; changes nothing but the verdicts. */
void streams_check(const streams *self, const mac_lanes *lanes, const arrived *from, uint8_t *verdicts);
/* The second part, for those that are accepted so far: sequences. clock: microseconds. */
void streams_admit(streams *self, const arrived *from, uint8_t *verdicts, double now, uint32_t clock, summary *found);
/* The third part, when a stream is encrypted: decrypts the bodies of those that are accepted, where they lie. */
void streams_decrypt(const streams *self, const cipher_lanes *lanes, const arrived *from, uint8_t *data,
                     const uint8_t *verdicts);

/* What the heads of datagrams that are sent have in common. */
typedef struct {
    uint8_t form, ask;
    uint8_t tag[TAG_SIZE];
    uint32_t sequence; /* of the first one */
    uint32_t time;
} head;

/* What datagrams are sealed with. cipher NULL: bodies stay in clear. */
typedef struct {
    const mac_key *key;
    const mac_lanes *lanes;
    const cipher_state *cipher;
    const cipher_lanes *cipher_lanes;
} sealing;

/* Writes heads into datagrams of size bytes each, encrypts their bodies, and writes MACs over both. */
void seal_datagrams(const head *common, const sealing *with, uint8_t *datagrams, size_t size, size_t count);

/* A symbol that is to be sent: its generation (from the first one of its segment on), its number, and where it lies in
   the segment. Each 4 bytes, big-endian. */
#define SCHEDULED_SIZE 12u

/* Writes places and symbols of numbered datagrams; what lies behind the end of the segment is zero. */
void lay_symbols(uint8_t *datagrams, size_t symbol, const uint8_t *scheduled, size_t count, uint32_t generation,
                 const uint8_t *segment, size_t length);

#endif
