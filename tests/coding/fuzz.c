/* Throws random inputs at the native code and compares with arithmetic too simple to be wrong. Every buffer is a block
   of its own, exactly as long as it may be, so that AddressSanitizer sees one byte too far. No Python. Usage:

   fuzz SECONDS SEED

   Prints what it did; stops with a message and status 1 at the first difference. See test_native_fuzz.py. */
#include "fuzz.h"

#include "generation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t state;
static unsigned long long calls, generations, packets, removed, recoded, decoded;

uint32_t draw(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) % below);
}

void require(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "difference: %s (%s)\n", what, gf_current->name);
        exit(1);
    }
}

uint8_t *block(size_t size)
{
    uint8_t *made = malloc(size ? size : 1);
    require(made != NULL, "no memory");
    return made;
}

uint8_t *noise(size_t size)
{
    uint8_t *made = block(size);
    for (size_t i = 0; i < size; i++)
        made[i] = (uint8_t)draw(256);
    return made;
}

static uint8_t table[256][256];

static uint8_t times_slowly(uint8_t a, uint8_t b)
{
    unsigned product = 0;
    for (unsigned bit = 0; bit < 8; bit++)
        if (b >> bit & 1)
            product ^= (unsigned)a << bit;
    for (unsigned bit = 15; bit >= 8; bit--)
        if (product >> bit & 1)
            product ^= 0x11Bu << (bit - 8);
    return (uint8_t)product;
}

static inline uint8_t times(uint8_t a, uint8_t b)
{
    return table[a][b];
}

static size_t draw_size(void)
{
    static const size_t edges[] = {0,  1,   15,  16,  17,  31,  32,  33,  63,  64,
                                   65, 127, 128, 129, 191, 192, 193, 383, 384, 385};
    return draw(2) ? edges[draw(sizeof edges / sizeof *edges)] : draw(700);
}

static void fuzz_vectors(const gf_kernels *kernels)
{
    const size_t size = draw_size();
    const uint8_t factor = (uint8_t)draw(256);
    uint8_t *target = noise(size), *source = noise(size), *expected = block(size);
    for (size_t i = 0; i < size; i++)
        expected[i] = target[i] ^ times(factor, source[i]);
    kernels->axpy(target, factor, source, size);
    require(memcmp(target, expected, size) == 0, "axpy");
    for (size_t i = 0; i < size; i++)
        expected[i] = times(factor, target[i]);
    kernels->scale(target, factor, size);
    require(memcmp(target, expected, size) == 0, "scale");
    free(target);
    free(source);
    free(expected);
}

static void fuzz_dots(const gf_kernels *kernels)
{
    const size_t size = draw_size(), rows = draw(20), columns = draw(4) ? draw(5) : draw(14);
    const size_t stride = size + (draw(2) ? draw(70) : 0);
    uint8_t *a = noise(rows * size), *b = noise(columns ? (columns - 1) * stride + size : 0);
    uint8_t *out = block(rows * columns);
    kernels->dots(out, a, size, rows, b, stride, columns, size);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            uint8_t sum = 0;
            for (size_t n = 0; n < size; n++)
                sum ^= times(a[i * size + n], b[j * stride + n]);
            require(out[i * columns + j] == sum, "dots");
        }
    free(a);
    free(b);
    free(out);
}

static void fuzz_product(const gf_kernels *kernels)
{
    const size_t size = draw_size(), rows = draw(20) ? draw(14) : draw(70), columns = draw(20) ? draw(9) : draw(80);
    const size_t stride = columns + draw(3);
    uint8_t *matrix = noise(rows * stride), *outs[70], *sources[80], *expected = block(size);
    for (size_t i = 0; i < rows; i++)
        outs[i] = block(size);
    for (size_t j = 0; j < columns; j++)
        sources[j] = noise(size);
    kernels->product(outs, matrix, stride, rows, columns, (const uint8_t *const *)sources, size);
    for (size_t i = 0; i < rows; i++) {
        memset(expected, 0, size);
        for (size_t j = 0; j < columns; j++)
            for (size_t n = 0; n < size; n++)
                expected[n] ^= times(matrix[i * stride + j], sources[j][n]);
        require(memcmp(outs[i], expected, size) == 0, "product");
    }
    for (size_t i = 0; i < rows; i++)
        free(outs[i]);
    for (size_t j = 0; j < columns; j++)
        free(sources[j]);
    free(matrix);
    free(expected);
}

static void fuzz_rows(const gf_kernels *kernels)
{
    const size_t size = GF_ALIGN * (1 + draw(4)), count = draw(70), column = draw((uint32_t)size);
    uint8_t *rows = noise(count * size), *row = noise(size), *factors = noise(count), *expected = block(size);
    memcpy(expected, row, size);
    for (size_t i = 0; i < count; i++)
        for (size_t n = 0; n < size; n++)
            expected[n] ^= times(factors[i], rows[i * size + n]);
    kernels->combine(row, factors, rows, size, count, size);
    require(memcmp(row, expected, size) == 0, "combine");
    uint8_t *before = block(count * size);
    memcpy(before, rows, count * size);
    kernels->update(rows, size, column, count, row, size);
    for (size_t i = 0; i < count; i++)
        for (size_t n = 0; n < size; n++)
            require(rows[i * size + n] == (before[i * size + n] ^ times(before[i * size + column], row[n])), "update");
    free(rows);
    free(row);
    free(factors);
    free(expected);
    free(before);
}

/* A generation, the symbols it was made of, and whether all packets in it are honest. */
typedef struct {
    generation inner;
    uint8_t *source;
    int honest;
} scene;

/* The payload that belongs to a vector. */
static void combination(const scene *scene, const uint8_t *vector, uint8_t *payload)
{
    const unsigned k = scene->inner.k;
    const size_t size = scene->inner.size;
    memset(payload, 0, size);
    for (unsigned i = 0; i < k; i++)
        if (vector[i])
            for (size_t n = 0; n < size; n++)
                payload[n] ^= times(vector[i], scene->source[i * size + n]);
}

/* The rank of what is stored and of one more vector (NULL: none), by elimination as in the school book. */
static unsigned school_rank(const generation *inner, const uint8_t *more)
{
    static uint8_t rows[MAX_SYMBOLS + 1][MAX_SYMBOLS + 1];
    unsigned count = 0, rank = 0;
    for (unsigned i = 0; i < inner->k; i++)
        if (inner->states[i] != SLOT_FREE)
            generation_vector(inner, i, rows[count++]);
    if (more != NULL)
        memcpy(rows[count++], more, inner->k);
    for (unsigned column = 0; column < inner->k && rank < count; column++) {
        unsigned found = rank;
        while (found < count && rows[found][column] == 0)
            found++;
        if (found == count)
            continue;
        uint8_t swapped[MAX_SYMBOLS + 1], inverse = 1;
        memcpy(swapped, rows[found], inner->k);
        memcpy(rows[found], rows[rank], inner->k);
        memcpy(rows[rank], swapped, inner->k);
        while (times(inverse, swapped[column]) != 1)
            inverse++;
        for (unsigned i = rank + 1; i < count; i++) {
            const uint8_t factor = times(rows[i][column], inverse);
            if (factor)
                for (unsigned n = column; n < inner->k; n++)
                    rows[i][n] ^= times(factor, swapped[n]);
        }
        rank++;
    }
    return rank;
}

static void add_something(scene *scene)
{
    generation *inner = &scene->inner;
    const unsigned before = inner->systematic + inner->coded;
    uint8_t *payload = noise(inner->size), *vector = noise(inner->k);
    const unsigned kind = draw(8);
    uint32_t number = 0;
    int added;
    if (kind < 3) {
        number = draw(inner->k);
        memset(vector, 0, inner->k);
        vector[number] = 1;
    } else if (kind < 6) {
        number = inner->k + draw(1u << 30);
        expand_seed(vector, number, inner->parameters);
    } else if (draw(4) == 0) {
        for (unsigned i = 0; i < inner->k; i++)
            if (draw(8))
                vector[i] = 0;
    } else if (draw(30) == 0)
        memset(vector, 0, inner->k);
    if (draw(400) == 0)
        scene->honest = 0;
    else
        combination(scene, vector, payload);
    const unsigned expected = school_rank(inner, vector);
    added = kind < 6 ? generation_add_number(inner, number, payload, number)
                     : generation_add_vector(inner, vector, payload, number);
    require(added == (expected > before), "innovative");
    require(inner->systematic + inner->coded == before + (unsigned)added, "rank");
    packets++;
    free(payload);
    free(vector);
}

static void check_stored(const scene *scene)
{
    const generation *inner = &scene->inner;
    uint8_t *vector = block(inner->k), *payload = block(inner->size), *expected = block(inner->size);
    for (unsigned i = 0; i < inner->k; i++)
        if (inner->states[i] != SLOT_FREE) {
            generation_vector(inner, i, vector);
            generation_packet(inner, i, payload);
            combination(scene, vector, expected);
            require(!scene->honest || memcmp(payload, expected, inner->size) == 0, "stored packet");
        }
    free(vector);
    free(payload);
    free(expected);
}

static void remove_some(scene *scene)
{
    generation *inner = &scene->inner;
    require(generation_restore(inner), "restore");
    for (unsigned count = draw(4); count-- > 0;) {
        const unsigned slot = draw(inner->k);
        if (inner->states[slot] != SLOT_FREE) {
            generation_remove(inner, slot);
            removed++;
        }
    }
    require(generation_rebuild(inner), "rebuild");
    require(inner->systematic + inner->coded == school_rank(inner, NULL), "rank after removal");
}

static void recode_some(const scene *scene)
{
    const generation *inner = &scene->inner;
    const size_t count = draw(40), gap = draw(3), head = draw(2) ? 0 : inner->size + gap;
    const size_t body = head ? 0 : inner->k + gap, length = inner->k + gap + inner->size, step = length + draw(5);
    uint8_t *out = block(count ? (count - 1) * step + length : 0), chosen[MAX_SYMBOLS + 1];
    uint8_t *expected = block(inner->size);
    unsigned used = 0;
    for (unsigned i = 0; i < inner->k; i++) {
        chosen[i] = draw(5) != 0;
        used += chosen[i] && inner->states[i] != SLOT_FREE;
    }
    const int done = generation_recode(inner, chosen, out, count, step, head, body, state, 1 + draw(DENSE));
    require(done == (used > 0), "recode");
    for (size_t n = 0; used > 0 && n < count; n++) {
        const uint8_t *vector = out + n * step + head;
        unsigned any = 0;
        for (unsigned i = 0; i < inner->k; i++)
            any |= vector[i];
        require(any, "recoded nothing");
        combination(scene, vector, expected);
        require(!scene->honest || memcmp(out + n * step + body, expected, inner->size) == 0, "recoded packet");
        recoded++;
    }
    free(out);
    free(expected);
}

static void decode_it(scene *scene)
{
    generation *inner = &scene->inner;
    check_stored(scene);
    require(generation_decode(inner), "decode");
    require(!scene->honest || memcmp(inner->data, scene->source, inner->k * inner->size) == 0, "symbols");
    check_stored(scene);
    decoded++;
}

static void fuzz_generation(void)
{
    const unsigned k = draw(1000) == 0 ? 1 + draw(MAX_SYMBOLS) : draw(30) == 0 ? 1 + draw(70) : 1 + draw(20);
    const code parameters = {k, draw(2) ? DENSE : 1 + draw(DENSE), draw(3) ? k : 1 + draw(k)};
    const size_t size = 1 + (draw(4) ? draw(40) : draw_size());
    scene scene = {.source = noise(k * size), .honest = 1};
    uint8_t *room = draw(2) ? noise(k * size) : NULL;
    require(generation_create(&scene.inner, parameters, size, room), "create");
    for (unsigned steps = draw(4 * k + 20); steps-- > 0;) {
        const unsigned what = draw(40);
        size_t path = 0;
        while (gf_available[path + 1] != NULL && draw(2))
            path++;
        scene.inner.kernels = gf_available[path];
        if (scene.inner.systematic + scene.inner.coded == k && draw(3) == 0)
            decode_it(&scene);
        else if (what == 0)
            remove_some(&scene);
        else if (what == 1)
            recode_some(&scene);
        else
            add_something(&scene);
    }
    check_stored(&scene);
    generation_destroy(&scene.inner);
    free(room);
    free(scene.source);
    generations++;
}

int main(int count, char **arguments)
{
    static void (*const kinds[])(const gf_kernels *) = {fuzz_vectors, fuzz_dots, fuzz_product, fuzz_rows};
    const time_t end = time(NULL) + (count > 1 ? atoi(arguments[1]) : 1);
    state = (count > 2 ? strtoull(arguments[2], NULL, 10) : 1) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++)
            table[a][b] = times_slowly((uint8_t)a, (uint8_t)b);
    gf_prepare();
    while (time(NULL) < end) {
        for (size_t path = 0; gf_available[path] != NULL; path++) {
            gf_current = gf_available[path];
            kinds[draw(4)](gf_current);
            calls++;
            fuzz_session();
        }
        fuzz_generation();
    }
    printf("%llu calls of kernels, %llu generations: %llu packets added, %llu removed, %llu recoded, %llu decoded; "
           "%llu datagrams sealed, %llu judged\n",
           calls, generations, packets, removed, recoded, decoded, sealed, judged);
    return 0;
}
