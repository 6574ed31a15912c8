/* The datagrams of a session, for Python: the same as in transfer/session/fallback_datagrams.py. */
#include "module_generation.h"
#include "module_session.h"

#include <string.h>

PyObject *make_mac_key(PyObject *module, PyObject *key)
{
    Py_buffer given;
    PyObject *result = NULL;
    mac_key made;
    if (PyObject_GetBuffer(key, &given, PyBUF_SIMPLE) < 0)
        return NULL;
    if (has_shape("key", given.len, 1, MAC_KEY_SIZE)) {
        mac_begin(&made, given.buf);
        result = PyBytes_FromStringAndSize((const char *)&made, sizeof made);
    }
    PyBuffer_Release(&given);
    return result;
}

/* The bytes that an argument is, and must have so many of; NULL and an exception else. */
static const char *get_exactly(PyObject *argument, const char *what, Py_ssize_t wanted)
{
    char *found;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(argument, &found, &size) < 0 || !has_shape(what, size, 1, wanted))
        return NULL;
    return found;
}

/* seal(datagrams, size, form, tag, sequence, time, ask, key, cipher): cipher has 32 bytes, or is None */
PyObject *seal(PyObject *module, PyObject *const *arguments, Py_ssize_t given)
{
    Py_ssize_t size, form, sequence, time, ask;
    const char *tag, *key_bytes, *cipher_bytes = NULL;
    Py_buffer datagrams;
    cipher_state cipher;
    mac_key key;
    head common;
    if (!has_arguments("seal", given, 9) || (size = get_size(arguments[1], "size", HEAD_SIZE + MAC_SIZE, MOST_SIZE)) < 0
        || (form = get_size(arguments[2], "form", 0, 255)) < 0
        || (tag = get_exactly(arguments[3], "tag", TAG_SIZE)) == NULL
        || (sequence = get_size(arguments[4], "sequence", 0, 0xFFFFFFFF)) < 0
        || (time = get_size(arguments[5], "time", 0, 0xFFFFFFFF)) < 0
        || (ask = get_size(arguments[6], "ask", 0, 255)) < 0
        || (key_bytes = get_exactly(arguments[7], "key", sizeof key)) == NULL
        || (arguments[8] != Py_None
            && (cipher_bytes = get_exactly(arguments[8], "cipher", CIPHER_KEY_SIZE)) == NULL)
        || PyObject_GetBuffer(arguments[0], &datagrams, PyBUF_WRITABLE) < 0)
        return NULL;
    const size_t count = (size_t)(datagrams.len / size);
    const int whole = datagrams.len % size == 0, fits = count == 0 || count - 1 <= 0xFFFFFFFF - (size_t)sequence;
    if (!whole)
        PyErr_Format(PyExc_ValueError, "%zd bytes are no datagrams of %zd", datagrams.len, size);
    else if (!fits)
        PyErr_SetString(PyExc_ValueError, "sequences end at 4294967295");
    else {
        const sealing with = {&key, gf_current->macs, cipher_bytes == NULL ? NULL : &cipher, gf_current->cipher};
        common = (head){.form = (uint8_t)form, .ask = (uint8_t)ask, .sequence = (uint32_t)sequence,
                        .time = (uint32_t)time};
        memcpy(common.tag, tag, TAG_SIZE);
        memcpy(&key, key_bytes, sizeof key);
        if (cipher_bytes != NULL)
            cipher_begin(&cipher, (const uint8_t *)cipher_bytes);
        PyThreadState *state = begin_long_macs((size_t)size, count);
        seal_datagrams(&common, &with, datagrams.buf, (size_t)size, count);
        end_long_call(state);
    }
    PyBuffer_Release(&datagrams);
    if (!whole || !fits)
        return NULL;
    Py_RETURN_NONE;
}

/* lay(segment, symbol, schedule, first, count, generation): datagrams whose heads and MACs are missing */
PyObject *lay(PyObject *module, PyObject *const *arguments, Py_ssize_t given)
{
    Py_ssize_t symbol, first, count, generation;
    PyObject *made = NULL;
    Py_buffer segment, schedule;
    if (!has_arguments("lay", given, 6)
        || (symbol = get_size(arguments[1], "symbol", 1, MOST_SIZE - (Py_ssize_t)OVERHEAD)) < 0
        || (first = get_size(arguments[3], "first", 0, PY_SSIZE_T_MAX)) < 0
        || (count = get_size(arguments[4], "count", 0, MOST_COUNT)) < 0
        || (generation = get_size(arguments[5], "generation", 0, 0xFFFFFFFF)) < 0
        || PyObject_GetBuffer(arguments[0], &segment, PyBUF_SIMPLE) < 0)
        return NULL;
    if (PyObject_GetBuffer(arguments[2], &schedule, PyBUF_SIMPLE) == 0) {
        const Py_ssize_t there = schedule.len / (Py_ssize_t)SCHEDULED_SIZE;
        if (first > there || count > there - first)
            PyErr_Format(PyExc_ValueError, "there are %zd symbols in the schedule", there);
        else if ((made = PyByteArray_FromStringAndSize(NULL, count * ((Py_ssize_t)OVERHEAD + symbol))) != NULL)
            lay_symbols((uint8_t *)PyByteArray_AsString(made), (size_t)symbol,
                        (const uint8_t *)schedule.buf + (size_t)first * SCHEDULED_SIZE, (size_t)count,
                        (uint32_t)generation, segment.buf, (size_t)segment.len);
        PyBuffer_Release(&schedule);
    }
    PyBuffer_Release(&segment);
    return made;
}

/* Why collect comes back. The same numbers as in fallback_datagrams.py. */
enum stop { AT_END, TO_OPEN, COMPLETE, OTHER_FORM };

typedef struct {
    arrived from;
    const uint8_t *verdicts, *sizes;
    uint8_t *missing;
    size_t generations, symbol;
    PyObject *open, *type;
    uint32_t tags[2]; /* of what comes by the group's stream, and by unicast */
    /* What has been found: */
    size_t next;
    uint32_t generation;
    unsigned long long end, front, latest;
    unsigned innovative, dependent, unneeded, absent, malformed;
} collection;

/* What a datagram carries: 0 when that is malformed. */
static int find_payload(const collection *self, const uint8_t *datagram, size_t length, const uint8_t **identity,
                        const uint8_t **payload)
{
    const uint32_t generation = length >= HEAD_SIZE + 4 + MAC_SIZE ? get_32(datagram + HEAD_SIZE) : 0;
    size_t k = 4;
    if ((datagram[0] & ~(unsigned)FORM_UNICAST) == FORM_RECODED) {
        k = generation < self->generations ? self->sizes[generation] : 0;
        if (k == 0)
            return 0;
    }
    if (length != HEAD_SIZE + 4 + k + self->symbol + MAC_SIZE)
        return 0;
    *identity = datagram + HEAD_SIZE + 4;
    *payload = *identity + k;
    return 1;
}

/* One datagram of a numbered or recoded symbol: AT_END when it is done, OTHER_FORM and an exception when it failed. */
static enum stop collect_one(collection *self, const uint8_t *datagram, size_t length)
{
    const int is_vector = (datagram[0] & ~(unsigned)FORM_UNICAST) == FORM_RECODED;
    const uint8_t *identity, *payload;
    PyObject *number, *found;
    int result;
    if (!find_payload(self, datagram, length, &identity, &payload)) {
        self->malformed++;
        return AT_END;
    }
    self->generation = get_32(datagram + HEAD_SIZE);
    if (self->generation >= self->generations || self->sizes[self->generation] == 0) {
        self->absent++;
        return AT_END;
    }
    if (self->end <= self->generation)
        self->end = (unsigned long long)self->generation + 1;
    if (!is_vector && get_32(identity) < self->sizes[self->generation]) {
        self->latest = (unsigned long long)self->generation + 1;
        if (self->front < self->latest)
            self->front = self->latest;
    }
    if (self->missing[self->generation] == 0) {
        self->unneeded++;
        return AT_END;
    }
    if ((number = PyLong_FromUnsignedLong(self->generation)) == NULL)
        return OTHER_FORM;
    found = PyDict_GetItemWithError(self->open, number);
    Py_DECREF(number);
    if (found == NULL)
        return PyErr_Occurred() ? OTHER_FORM : TO_OPEN;
    Py_INCREF(found);
    result = add_to_generation(found, self->type, identity, is_vector, self->sizes[self->generation], payload,
                               self->symbol, self->tags[(datagram[0] & FORM_UNICAST) != 0]);
    Py_DECREF(found);
    if (result < 0)
        return OTHER_FORM;
    if (result == 0) {
        self->dependent++;
        return AT_END;
    }
    self->innovative++;
    return --self->missing[self->generation] == 0 ? COMPLETE : AT_END;
}

static enum stop collect_all(collection *self)
{
    for (; self->next < self->from.count; self->next++) {
        const size_t length = datagram_length(&self->from, self->next);
        const uint8_t *datagram;
        unsigned form;
        enum stop stop;
        if (self->verdicts[self->next] != ACCEPTED || length < LEAST_DATAGRAM)
            continue;
        datagram = self->from.data + self->next * self->from.size;
        form = datagram[0] & ~(unsigned)FORM_UNICAST;
        if (form != FORM_NUMBERED && form != FORM_RECODED) {
            self->next++;
            return OTHER_FORM;
        }
        stop = collect_one(self, datagram, length);
        if (stop != AT_END) {
            self->next += stop == COMPLETE;
            return stop;
        }
    }
    return AT_END;
}

/* The three buffers beside the datagrams, and their lengths. */
static PyObject *collect_from(collection *self, PyObject *const *arguments, Py_ssize_t start)
{
    Py_buffer verdicts, sizes, missing;
    PyObject *result = NULL;
    if (PyObject_GetBuffer(arguments[2], &verdicts, PyBUF_SIMPLE) < 0)
        return NULL;
    if (PyObject_GetBuffer(arguments[6], &sizes, PyBUF_SIMPLE) == 0) {
        if (PyObject_GetBuffer(arguments[7], &missing, PyBUF_WRITABLE) == 0) {
            if (verdicts.len > MOST_COUNT || start > verdicts.len || sizes.len != missing.len)
                PyErr_SetString(PyExc_ValueError, "verdicts, start, sizes and missing do not fit each other");
            else {
                self->from.count = (size_t)verdicts.len;
                self->verdicts = verdicts.buf;
                self->sizes = sizes.buf;
                self->missing = missing.buf;
                self->generations = (size_t)sizes.len;
                self->next = (size_t)start;
                const enum stop stop = collect_all(self);
                if (!PyErr_Occurred())
                    result = Py_BuildValue("(niIKKKIIIII)", (Py_ssize_t)self->next, (int)stop,
                                           stop == TO_OPEN || stop == COMPLETE ? (unsigned)self->generation : 0u,
                                           self->end, self->front, self->latest, self->innovative, self->dependent, self->unneeded, self->absent,
                                           self->malformed);
            }
            PyBuffer_Release(&missing);
        }
        PyBuffer_Release(&sizes);
    }
    PyBuffer_Release(&verdicts);
    return result;
}

/* collect(buffer, size, verdicts, start, symbol, open, sizes, missing, group_tag, unicast_tag): (next, why, generation,
   end, front, latest, innovative, dependent, unneeded, absent, malformed) */
PyObject *collect(PyObject *module, PyObject *const *arguments, Py_ssize_t given)
{
    collection self = {.symbol = 0};
    PyObject *result;
    Py_ssize_t start, symbol, group, unicast;
    Py_buffer buffer;
    if (!has_arguments("collect", given, 10) || (start = get_size(arguments[3], "start", 0, MOST_COUNT)) < 0
        || (symbol = get_size(arguments[4], "symbol", 1, MOST_SIZE)) < 0
        || (group = get_size(arguments[8], "tag", 0, 0xFFFFFFFF)) < 0
        || (unicast = get_size(arguments[9], "tag", 0, 0xFFFFFFFF)) < 0)
        return NULL;
    self.tags[0] = (uint32_t)group;
    self.tags[1] = (uint32_t)unicast;
    if (!PyDict_Check(arguments[5])) {
        PyErr_SetString(PyExc_TypeError, "open is a dict");
        return NULL;
    }
    if ((self.type = PyObject_GetAttrString(module, "Generation")) == NULL)
        return NULL;
    self.symbol = (size_t)symbol;
    self.open = arguments[5];
    if (!get_arrived(&buffer, arguments[0], arguments[1], PyBUF_SIMPLE, &self.from)) {
        Py_DECREF(self.type);
        return NULL;
    }
    result = collect_from(&self, arguments, start);
    PyBuffer_Release(&buffer);
    Py_DECREF(self.type);
    return result;
}
