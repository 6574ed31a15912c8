/* What the files of the fuzzer share: chance, blocks of memory, and how a difference ends it. */
#ifndef TRIBLER_MULTICAST_FUZZ_H
#define TRIBLER_MULTICAST_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* A number from 0 on. */
uint32_t draw(uint32_t below);
/* Ends the run with a message unless it holds. */
void require(int holds, const char *what);
/* Memory exactly as long as that, so that AddressSanitizer sees one byte too far; with noise in it. */
uint8_t *block(size_t size);
uint8_t *noise(size_t size);

/* Packets through the cipher; and encryption that is right, slowly. */
void fuzz_cipher(void);
void school_cipher(uint8_t *data, const uint8_t *key, const uint8_t *nonce, size_t size);

/* Datagrams of sessions: MACs, batches that are sealed, laid, and checked on arrival. */
void fuzz_session(void);
extern unsigned long long sealed, judged;

#endif
