/* Many datagrams from a socket with one call of the kernel, laid one behind the other (Linux). */
#ifndef TRIBLER_MULTICAST_ARRIVALS_H
#define TRIBLER_MULTICAST_ARRIVALS_H

#ifdef __linux__

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define MOST_MESSAGES 64

/* Datagrams that lie one behind the other: each of `size` bytes but the last, from one sender, by one way. */
typedef struct {
    size_t offset, length;
    uint32_t size, count;
    /* When the latest of them arrived, nanoseconds since 1970; -1 where the kernel did not tell. */
    int64_t when;
    /* The arriving interface and the hop limit; -1 likewise. */
    int32_t index, hops;
    /* Of sender_size bytes. */
    struct sockaddr_storage sender;
    socklen_t sender_size;
} run;

typedef struct {
    unsigned messages, runs;
    /* Datagrams longer than a slot: they are dropped. */
    unsigned truncated;
    /* What the kernel has dropped so far, modulo 2^32; -1: it did not tell. */
    int64_t lost;
    run found[MOST_MESSAGES];
} arrivals;

/* Receive up to `most` messages, not waiting, into a buffer of most x slot bytes. 0, or the error of the system. */
int receive_arrivals(int file, uint8_t *buffer, size_t slot, unsigned most, arrivals *got);

#endif
#endif
