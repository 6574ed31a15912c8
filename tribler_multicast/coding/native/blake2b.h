/* BLAKE2b (RFC 7693) with a key and 16 bytes of digest: the MACs of many packets of the same length at once, each in a
   lane of a vector. Plain C99, no Python. */
#ifndef TRIBLER_MULTICAST_BLAKE2B_H
#define TRIBLER_MULTICAST_BLAKE2B_H

#include <stddef.h>
#include <stdint.h>

#define MAC_SIZE 16u
#define MAC_KEY_SIZE 32u
#define BLAKE2B_BLOCK 128u
#define BLAKE2B_WORDS 8u

/* The chain after the block of the key, which is the same for all packets. */
typedef struct {
    uint64_t words[BLAKE2B_WORDS];
} mac_key;

/* One way to calculate. */
typedef struct mac_lanes {
    size_t lanes;
    /* The MACs of the packets of all lanes: size bytes at each of data, at least 1, under each of keys. */
    void (*macs)(uint8_t (*out)[MAC_SIZE], const mac_key *const *keys, const uint8_t *const *data, size_t size);
    /* With fewer lanes; NULL: this has one. */
    const struct mac_lanes *narrower;
} mac_lanes;

#define MOST_LANES 8u

extern const mac_lanes mac_portable;
#if (defined(__x86_64__) || defined(__i386__)) && (defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 5))
extern const mac_lanes mac_avx2;
extern const mac_lanes mac_avx512;
#endif

/* key has MAC_KEY_SIZE bytes. */
void mac_begin(mac_key *made, const uint8_t *key);

/* The MACs of count packets, MOST_LANES at most, in as many lanes as pay. */
void mac_some(const mac_lanes *widest, uint8_t (*out)[MAC_SIZE], const mac_key *const *keys, const uint8_t *const *data,
              size_t size, size_t count);

#endif
