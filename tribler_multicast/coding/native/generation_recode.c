/* New packets of what is stored. */
#include "generation_private.h"

#define BATCH 32u

int generation_recode(const generation *self, const uint8_t *chosen, uint8_t *out, size_t count, size_t step,
                      size_t head, size_t body, uint64_t seed, unsigned density)
{
    const uint8_t *sources[MAX_SYMBOLS + 1], *vectors[MAX_SYMBOLS + 1];
    uint8_t slots[MAX_SYMBOLS + 1], matrix[BATCH * 256];
    uint8_t *payloads[BATCH], *sums[BATCH];
    unsigned used = 0, coded = 0;
    uint8_t *scratch;
    for (int wanted = SLOT_CODED; wanted >= SLOT_SYSTEMATIC; wanted--)
        for (unsigned i = 0; i < self->k; i++) {
            const int state = self->decoded && self->states[i] != SLOT_FREE ? SLOT_SYSTEMATIC : self->states[i];
            if (state != wanted || !chosen[i])
                continue;
            if (state == SLOT_CODED)
                vectors[coded++] = vector_of(self, i);
            sources[used] = slot(self, i);
            slots[used++] = (uint8_t)i;
        }
    if (used == 0)
        return 0;
    if ((scratch = take(BATCH, self->stride)) == NULL)
        return -1;
    for (size_t done = 0; done < count; done += BATCH) {
        const size_t batch = count - done < BATCH ? count - done : BATCH;
        for (size_t n = 0; n < batch; n++) {
            uint8_t *packet = out + (done + n) * step;
            uint8_t *factors = matrix + n * 256;
            expand_seed(factors, seed + done + n, (code){used, density, used});
            /* All of them: so a packet has what came last, the very one that the next relay does not know yet. */
            for (unsigned i = 0; density == DENSE && i < used; i++)
                factors[i] |= factors[i] == 0;
            payloads[n] = packet + body;
            sums[n] = scratch + n * self->stride;
        }
        self->kernels->product(sums, matrix, 256, batch, coded, vectors, self->stride);
        for (size_t n = 0; n < batch; n++) {
            for (unsigned i = coded; i < used; i++)
                sums[n][slots[i]] ^= matrix[n * 256 + i];
            memcpy(out + (done + n) * step + head, sums[n], self->k);
        }
        self->kernels->product(payloads, matrix, 256, batch, used, sources, self->size);
    }
    give_back(scratch);
    return 1;
}
