#ifdef __linux__
#define _GNU_SOURCE
#endif
#include "arrivals.h"

#ifdef __linux__

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* linux/udp.h, asm-generic/socket.h; older headers lack them. */
#define UDP_GRO_MESSAGE 104
#define RXQ_OVFL_MESSAGE 40
#define TIMESTAMPNS_MESSAGE 35

#define ROOM_FOR_ANCILLARY 256

/* Datagrams that came so long after the first of a run begin another one: they share one time of arrival. */
#define TOGETHER 1000000

/* What stands beside a message. */
static uint32_t read_ancillary(struct msghdr *header, run *found, int64_t *lost)
{
    uint32_t size = 0;
    for (struct cmsghdr *message = CMSG_FIRSTHDR(header); message != NULL; message = CMSG_NXTHDR(header, message)) {
        const uint8_t *data = CMSG_DATA(message);
        const size_t length = message->cmsg_len - CMSG_LEN(0);
        int number = 0;
        if (length >= sizeof number)
            memcpy(&number, data, sizeof number);
        if (message->cmsg_level == IPPROTO_UDP && message->cmsg_type == UDP_GRO_MESSAGE && length >= sizeof number) {
            size = (uint32_t)number;
        } else if (message->cmsg_level == SOL_SOCKET && message->cmsg_type == RXQ_OVFL_MESSAGE
                   && length >= sizeof number) {
            *lost = (uint32_t)number;
        } else if (message->cmsg_level == SOL_SOCKET && message->cmsg_type == TIMESTAMPNS_MESSAGE
                   && length == sizeof(struct timespec)) {
            struct timespec when;
            memcpy(&when, data, sizeof when);
            found->when = (int64_t)when.tv_sec * 1000000000 + when.tv_nsec;
        } else if (message->cmsg_level == IPPROTO_IP && message->cmsg_type == IP_PKTINFO && length >= sizeof number) {
            found->index = number;
        } else if (message->cmsg_level == IPPROTO_IP && message->cmsg_type == IP_TTL && length >= sizeof number) {
            found->hops = number;
        } else if (message->cmsg_level == IPPROTO_IPV6 && message->cmsg_type == IPV6_PKTINFO
                   && length >= sizeof(struct in6_pktinfo)) {
            struct in6_pktinfo info;
            memcpy(&info, data, sizeof info);
            found->index = (int32_t)info.ipi6_ifindex;
        } else if (message->cmsg_level == IPPROTO_IPV6 && message->cmsg_type == IPV6_HOPLIMIT
                   && length >= sizeof number) {
            found->hops = number;
        }
    }
    return size;
}

/* Whether one goes on where the other ends. */
static int goes_on(const run *before, const run *next, int64_t first)
{
    return before->size > 0 && before->length % before->size == 0
        && (next->size == before->size || (next->count == 1 && next->size > 0 && next->size < before->size))
        && next->index == before->index && next->hops == before->hops && next->sender_size == before->sender_size
        && memcmp(&next->sender, &before->sender, next->sender_size) == 0 && next->when - first < TOGETHER;
}

int receive_arrivals(int file, uint8_t *buffer, size_t slot, unsigned most, arrivals *got)
{
    struct mmsghdr messages[MOST_MESSAGES];
    struct iovec places[MOST_MESSAGES];
    struct sockaddr_storage senders[MOST_MESSAGES];
    _Alignas(struct cmsghdr) char ancillary[MOST_MESSAGES][ROOM_FOR_ANCILLARY];
    most = most < MOST_MESSAGES ? most : MOST_MESSAGES;
    for (unsigned i = 0; i < most; i++) {
        places[i] = (struct iovec){buffer + i * slot, slot};
        messages[i].msg_hdr = (struct msghdr){.msg_name = &senders[i], .msg_namelen = sizeof senders[i],
                                              .msg_iov = &places[i], .msg_iovlen = 1, .msg_control = ancillary[i],
                                              .msg_controllen = sizeof ancillary[i]};
    }
    const int count = recvmmsg(file, messages, most, MSG_DONTWAIT, NULL);
    got->messages = got->runs = got->truncated = 0;
    got->lost = -1;
    if (count < 0)
        return errno;
    got->messages = (unsigned)count;
    size_t end = 0;
    int64_t first = 0;
    for (int i = 0; i < count; i++) {
        struct msghdr *header = &messages[i].msg_hdr;
        run next = {.length = messages[i].msg_len, .when = -1, .index = -1, .hops = -1};
        next.size = read_ancillary(header, &next, &got->lost);
        if (next.size == 0)
            next.size = (uint32_t)next.length;
        next.count = next.length == 0 ? 1 : (uint32_t)((next.length + next.size - 1) / next.size);
        if (header->msg_flags & MSG_TRUNC) {
            got->truncated += next.count;
            continue;
        }
        next.sender_size = header->msg_namelen < sizeof next.sender ? header->msg_namelen : sizeof next.sender;
        memcpy(&next.sender, &senders[i], next.sender_size);
        next.offset = end;
        if (end != (size_t)i * slot)
            memmove(buffer + end, buffer + (size_t)i * slot, next.length);
        end += next.length;
        run *before = got->runs ? &got->found[got->runs - 1] : NULL;
        if (before != NULL && goes_on(before, &next, first)) {
            before->length += next.length;
            before->count += next.count;
            before->when = next.when;
        } else {
            first = next.when;
            got->found[got->runs++] = next;
        }
    }
    return 0;
}

#else
typedef int no_such_system;
#endif
