/* Packets in buffers, and the encoder. The same as in fallback_packets.py. */
#include "module_packets.h"

#include <stdlib.h>
#include <string.h>

int get_layout(PyObject *head, PyObject *body, size_t head_size, size_t size, layout *found)
{
    /* No packet is anywhere near as long as this; sums cannot overflow. */
    const Py_ssize_t most = PY_SSIZE_T_MAX / 4;
    const Py_ssize_t first = get_size(head, "head", 0, most), second = first < 0 ? -1 : get_size(body, "body", 0, most);
    if (second < 0)
        return 0;
    found->head = (size_t)first;
    found->head_size = head_size;
    found->body = (size_t)second;
    if (found->head + head_size > found->body && found->body + size > found->head) {
        PyErr_SetString(PyExc_ValueError, "head and payload overlap");
        return 0;
    }
    found->extent = found->body + size;
    if (found->head + head_size > found->extent)
        found->extent = found->head + head_size;
    return 1;
}

/* Whether so many packets, so many bytes from each to the next, lie within a buffer; an exception else. */
static int fits(Py_ssize_t length, size_t count, size_t step, const layout *packet)
{
    if (count == 0
        || (packet->extent <= (size_t)length
            && (count == 1 || (count - 1) <= ((size_t)length - packet->extent) / step)))
        return 1;
    PyErr_Format(PyExc_ValueError, "%zu packets do not fit in %zd bytes", count, length);
    return 0;
}

size_t *find_packets(PyObject *argument, Py_ssize_t length, size_t step, const layout *where, Py_ssize_t *count)
{
    PyObject *offsets = NULL;
    size_t *found = NULL;
    if (PyLong_Check(argument)) {
        if ((*count = get_size(argument, "count", 0, PY_SSIZE_T_MAX)) < 0 || !fits(length, (size_t)*count, step, where))
            return NULL;
    } else {
        if ((offsets = PySequence_Tuple(argument)) == NULL)
            return NULL;
        *count = PyTuple_Size(offsets);
    }
    if ((size_t)*count < SIZE_MAX / sizeof *found)
        found = malloc(((size_t)*count + 1) * sizeof *found);
    if (found == NULL)
        PyErr_NoMemory();
    for (Py_ssize_t n = 0; found != NULL && n < *count; n++) {
        Py_ssize_t at = n * (Py_ssize_t)step;
        if (offsets != NULL && (at = get_size(PyTuple_GetItem(offsets, n), "an offset", 0, length)) >= 0
            && where->extent > (size_t)(length - at)) {
            PyErr_Format(PyExc_ValueError, "the packet at %zd does not fit in %zd bytes", at, length);
            at = -1;
        }
        if (at < 0) {
            free(found);
            found = NULL;
        } else
            found[n] = (size_t)at;
    }
    Py_XDECREF(offsets);
    return found;
}

int take_output(output *taken, PyObject *const *arguments, size_t head_size, size_t size)
{
    Py_ssize_t count, step;
    if ((count = get_size(arguments[1], "count", 0, PY_SSIZE_T_MAX)) < 0
        || (step = get_size(arguments[2], "step", 1, PY_SSIZE_T_MAX)) < 0
        || !get_layout(arguments[3], arguments[4], head_size, size, &taken->where)
        || PyObject_GetBuffer(arguments[0], &taken->buffer, PyBUF_WRITABLE) < 0)
        return 0;
    taken->count = (size_t)count;
    taken->step = (size_t)step;
    if (count > 1 && taken->where.extent > (size_t)step)
        PyErr_SetString(PyExc_ValueError, "a packet is longer than the step to the next");
    else if (fits(taken->buffer.len, (size_t)count, (size_t)step, &taken->where))
        return 1;
    PyBuffer_Release(&taken->buffer);
    return 0;
}

/* encode(out, count, step, head, body, first, source, k, size, density, band) */
#define BATCH 32u

static void encode_batch(const gf_kernels *kernels, const output *out, uint32_t first, const uint8_t *source,
                         code parameters, size_t size)
{
    const uint8_t *sources[MAX_SYMBOLS + 1];
    uint8_t *payloads[BATCH], matrix[BATCH * 256];
    size_t rows = 0;
    for (unsigned i = 0; i < parameters.k; i++)
        sources[i] = source + i * size;
    for (size_t n = 0; n < out->count; n++) {
        uint8_t *made = (uint8_t *)out->buffer.buf + n * out->step, *head = made + out->where.head;
        const uint32_t number = first + (uint32_t)n;
        for (unsigned byte = 0; byte < 4; byte++)
            head[byte] = (uint8_t)(number >> (24 - 8 * byte));
        if (number < parameters.k)
            memcpy(made + out->where.body, sources[number], size);
        else {
            expand_seed(matrix + rows * 256, number, parameters);
            payloads[rows++] = made + out->where.body;
        }
        if (rows == BATCH || n + 1 == out->count) {
            kernels->product(payloads, matrix, 256, rows, parameters.k, sources, size);
            rows = 0;
        }
    }
}

PyObject *encode(PyObject *module, PyObject *const *arguments, Py_ssize_t given)
{
    PyObject *result = NULL;
    Py_ssize_t first, size;
    Py_buffer source;
    code parameters;
    output out;
    if (!has_arguments("encode", given, 11) || (first = get_size(arguments[5], "a packet number", 0, MAX_NUMBER)) < 0
        || (size = get_size(arguments[8], "symbol_size", 1, MAX_SYMBOL_SIZE)) < 0)
        return NULL;
    PyObject *const described[3] = {arguments[7], arguments[9], arguments[10]};
    if (!get_code(described, &parameters) || !take_output(&out, arguments, 4, (size_t)size))
        return NULL;
    if (PyObject_GetBuffer(arguments[6], &source, PyBUF_SIMPLE) == 0) {
        const char *start = out.buffer.buf, *read = source.buf;
        if (out.count > 0 && out.count - 1 > MAX_NUMBER - (uint32_t)first)
            PyErr_SetString(PyExc_ValueError, "packet numbers end at 4294967295");
        else if (has_shape("source", source.len, (Py_ssize_t)parameters.k, size)) {
            if ((uintptr_t)start + (uintptr_t)out.buffer.len > (uintptr_t)read
                && (uintptr_t)read + (uintptr_t)source.len > (uintptr_t)start)
                PyErr_SetString(PyExc_ValueError, "what is written overlaps what is read");
            else {
                const gf_kernels *kernels = gf_current;
                PyThreadState *state = begin_long_call(out.count, parameters.k, (size_t)size);
                encode_batch(kernels, &out, (uint32_t)first, source.buf, parameters, (size_t)size);
                end_long_call(state);
                result = Py_NewRef(Py_None);
            }
        }
        PyBuffer_Release(&source);
    }
    PyBuffer_Release(&out.buffer);
    return result;
}
