/* The Python type of a generation at a receiver. The same as in fallback_generation.py. */
#include "module_generation.h"

#include "module_packets.h"

#include "generation.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    PyObject_HEAD
    generation inner;
    Py_buffer room; /* of the caller; no object: the memory is ours */
    PyThread_type_lock lock; /* decode and recode work without the interpreter lock */
} Generation;

static void enter(Generation *self)
{
    if (!PyThread_acquire_lock(self->lock, NOWAIT_LOCK)) {
        Py_BEGIN_ALLOW_THREADS
        PyThread_acquire_lock(self->lock, WAIT_LOCK);
        Py_END_ALLOW_THREADS
    }
    self->inner.kernels = gf_current;
}

static void leave(Generation *self)
{
    PyThread_release_lock(self->lock);
}

static PyObject *generation_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    PyObject *given[4], *room = Py_None;
    Py_ssize_t size;
    code parameters;
    if (keywords != NULL && PyDict_Size(keywords) != 0) {
        PyErr_SetString(PyExc_TypeError, "Generation() takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(arguments, "OOOO|O", &given[0], &given[1], &given[2], &given[3], &room))
        return NULL;
    PyObject *const described[3] = {given[0], given[2], given[3]};
    if (!get_code(described, &parameters) || (size = get_size(given[1], "symbol_size", 1, MAX_SYMBOL_SIZE)) < 0)
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Generation *self = (Generation *)allocate(type, 0);
    if (self == NULL)
        return NULL;
    if (room != Py_None
        && (PyObject_GetBuffer(room, &self->room, PyBUF_WRITABLE) < 0
            || !has_shape("room", self->room.len, (Py_ssize_t)parameters.k, size))) {
        Py_DECREF(self);
        return NULL;
    }
    self->lock = PyThread_allocate_lock();
    if (self->lock == NULL || !generation_create(&self->inner, parameters, (size_t)size, self->room.buf)) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static void generation_dealloc(PyObject *object)
{
    Generation *self = (Generation *)object;
    PyTypeObject *type = Py_TYPE(object);
    generation_destroy(&self->inner);
    PyBuffer_Release(&self->room);
    if (self->lock != NULL)
        PyThread_free_lock(self->lock);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

static int generation_buffer(PyObject *object, Py_buffer *view, int flags)
{
    const generation *inner = &((Generation *)object)->inner;
    return PyBuffer_FillInfo(view, object, inner->data, (Py_ssize_t)(inner->k * inner->size), 1, flags);
}

static int get_tag(PyObject *argument, uint32_t *tag)
{
    const Py_ssize_t value = get_size(argument, "tag", 0, MAX_NUMBER);
    *tag = (uint32_t)value;
    return value >= 0;
}

static PyObject *innovative(int result)
{
    return result < 0 ? PyErr_NoMemory() : PyBool_FromLong(result);
}

/* The payload is checked, the packet's identity not yet. */
static PyObject *add_checked(Generation *self, PyObject *identity, const uint8_t *payload, uint32_t tag)
{
    Py_buffer vector;
    int result;
    if (PyLong_Check(identity)) {
        const Py_ssize_t number = get_size(identity, "a packet number", 0, MAX_NUMBER);
        if (number < 0)
            return NULL;
        enter(self);
        result = generation_add_number(&self->inner, (uint32_t)number, payload, tag);
        leave(self);
        return innovative(result);
    }
    if (PyObject_GetBuffer(identity, &vector, PyBUF_SIMPLE) < 0)
        return NULL;
    if (vector.len != (Py_ssize_t)self->inner.k) {
        PyErr_Format(PyExc_ValueError, "a vector has %u bytes, not %zd", self->inner.k, vector.len);
        PyBuffer_Release(&vector);
        return NULL;
    }
    enter(self);
    result = generation_add_vector(&self->inner, vector.buf, payload, tag);
    leave(self);
    PyBuffer_Release(&vector);
    return innovative(result);
}

static PyObject *add(PyObject *object, PyObject *const *arguments, Py_ssize_t count)
{
    Generation *self = (Generation *)object;
    PyObject *result = NULL;
    Py_buffer payload;
    uint32_t tag;
    if (!has_arguments("add", count, 3) || !get_tag(arguments[2], &tag)
        || PyObject_GetBuffer(arguments[1], &payload, PyBUF_SIMPLE) < 0)
        return NULL;
    if (payload.len == (Py_ssize_t)self->inner.size)
        result = add_checked(self, arguments[0], payload.buf, tag);
    else
        PyErr_Format(PyExc_ValueError, "a payload has %zu bytes, not %zd", self->inner.size, payload.len);
    PyBuffer_Release(&payload);
    return result;
}

/* 1 innovative, 0 not, -1 no memory. */
static int add_packet(generation *inner, const uint8_t *packet, const layout *where, int vectors, uint32_t tag)
{
    const uint8_t *head = packet + where->head, *payload = packet + where->body;
    if (vectors)
        return generation_add_vector(inner, head, payload, tag);
    return generation_add_number(inner, get_32(head), payload, tag);
}

/* add_batch(buffer, where, step, head, body, vectors, tag): ``where`` is a count, or the offsets of the packets. */
static PyObject *add_batch(PyObject *object, PyObject *const *arguments, Py_ssize_t given)
{
    Generation *self = (Generation *)object;
    generation *inner = &self->inner;
    Py_ssize_t count, step, useful = 0;
    Py_buffer buffer;
    size_t *offsets;
    layout where;
    uint32_t tag;
    int vectors, result = 0;
    if (!has_arguments("add_batch", given, 7) || (step = get_size(arguments[2], "step", 1, PY_SSIZE_T_MAX)) < 0
        || (vectors = PyObject_IsTrue(arguments[5])) < 0 || !get_tag(arguments[6], &tag)
        || !get_layout(arguments[3], arguments[4], vectors ? inner->k : 4, inner->size, &where)
        || PyObject_GetBuffer(arguments[0], &buffer, PyBUF_SIMPLE) < 0)
        return NULL;
    if ((offsets = find_packets(arguments[1], buffer.len, (size_t)step, &where, &count)) != NULL) {
        enter(self);
        for (Py_ssize_t n = 0; n < count && result >= 0; n++) {
            result = add_packet(inner, (const uint8_t *)buffer.buf + offsets[n], &where, vectors, tag);
            useful += result > 0;
        }
        leave(self);
        free(offsets);
    }
    PyBuffer_Release(&buffer);
    if (offsets == NULL)
        return NULL;
    return result < 0 ? PyErr_NoMemory() : PyLong_FromSsize_t(useful);
}

/* An argument as the number of a slot in which something is stored; -1 and an exception else. */
static Py_ssize_t get_slot(Generation *self, PyObject *argument)
{
    Py_ssize_t index = get_size(argument, "a slot", 0, (Py_ssize_t)self->inner.k - 1);
    if (index >= 0) {
        enter(self);
        const int stored = self->inner.states[index] != SLOT_FREE;
        leave(self);
        if (!stored) {
            PyErr_Format(PyExc_ValueError, "nothing is stored in slot %zd", index);
            index = -1;
        }
    }
    return index;
}

static PyObject *states(PyObject *object, PyObject *nothing)
{
    Generation *self = (Generation *)object;
    PyObject *made;
    enter(self);
    made = PyBytes_FromStringAndSize((const char *)self->inner.states, (Py_ssize_t)self->inner.k);
    leave(self);
    return made;
}

static PyObject *tag(PyObject *object, PyObject *argument)
{
    Generation *self = (Generation *)object;
    const Py_ssize_t index = get_slot(self, argument);
    return index < 0 ? NULL : PyLong_FromUnsignedLong(self->inner.tags[index]);
}

static PyObject *vector(PyObject *object, PyObject *argument)
{
    Generation *self = (Generation *)object;
    const Py_ssize_t index = get_slot(self, argument);
    uint8_t made[256];
    if (index < 0)
        return NULL;
    enter(self);
    generation_vector(&self->inner, (unsigned)index, made);
    leave(self);
    return PyBytes_FromStringAndSize((const char *)made, (Py_ssize_t)self->inner.k);
}

static PyObject *packet(PyObject *object, PyObject *argument)
{
    Generation *self = (Generation *)object;
    const Py_ssize_t index = get_slot(self, argument);
    PyObject *made = index < 0 ? NULL : PyBytes_FromStringAndSize(NULL, (Py_ssize_t)self->inner.size);
    if (made != NULL) {
        uint8_t *out = (uint8_t *)PyBytes_AsString(made);
        enter(self);
        generation_packet(&self->inner, (unsigned)index, out);
        leave(self);
    }
    return made;
}

static PyObject *remove_packets(PyObject *object, PyObject *argument)
{
    Generation *self = (Generation *)object;
    uint8_t wanted[MAX_SYMBOLS + 1] = {0};
    PyObject *slots = PySequence_Tuple(argument);
    int done = 1;
    if (slots == NULL)
        return NULL;
    for (Py_ssize_t n = 0; n < PyTuple_Size(slots); n++) {
        const Py_ssize_t index = get_slot(self, PyTuple_GetItem(slots, n));
        if (index < 0) {
            Py_DECREF(slots);
            return NULL;
        }
        wanted[index] = 1;
    }
    Py_DECREF(slots);
    enter(self);
    PyThreadState *state = begin_long_call(self->inner.coded, self->inner.k, self->inner.size);
    done = generation_restore(&self->inner);
    for (unsigned index = 0; done && index < self->inner.k; index++)
        if (wanted[index])
            generation_remove(&self->inner, index);
    done = done && generation_rebuild(&self->inner);
    end_long_call(state);
    leave(self);
    if (!done)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyObject *decode(PyObject *object, PyObject *nothing)
{
    Generation *self = (Generation *)object;
    int done, complete;
    enter(self);
    complete = self->inner.systematic + self->inner.coded == self->inner.k;
    done = complete;
    if (complete) {
        const unsigned rows = self->inner.decoded ? 0 : self->inner.coded;
        PyThreadState *state = begin_long_call(rows, self->inner.k, self->inner.size);
        done = generation_decode(&self->inner);
        end_long_call(state);
    }
    leave(self);
    if (!complete) {
        PyErr_SetString(PyExc_ValueError, "the generation is not complete");
        return NULL;
    }
    if (!done)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

/* recode(out, count, step, head, body, seed, density, chosen): chosen is None or k bytes. */
static PyObject *recode(PyObject *object, PyObject *const *arguments, Py_ssize_t given)
{
    Generation *self = (Generation *)object;
    const generation *inner = &self->inner;
    uint8_t chosen[MAX_SYMBOLS + 1];
    unsigned long long seed;
    Py_ssize_t density;
    output out;
    int result = 1;
    if (!has_arguments("recode", given, 8) || (density = get_size(arguments[6], "density", 1, DENSE)) < 0)
        return NULL;
    seed = PyLong_AsUnsignedLongLong(arguments[5]);
    if (seed == (unsigned long long)-1 && PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_OverflowError))
            PyErr_SetString(PyExc_ValueError, "a seed has 64 bits");
        return NULL;
    }
    memset(chosen, 1, sizeof chosen);
    if (arguments[7] != Py_None) {
        Py_buffer mask;
        if (PyObject_GetBuffer(arguments[7], &mask, PyBUF_SIMPLE) < 0)
            return NULL;
        const int right = mask.len == (Py_ssize_t)inner->k;
        if (right)
            memcpy(chosen, mask.buf, inner->k);
        PyBuffer_Release(&mask);
        if (!right) {
            PyErr_SetString(PyExc_ValueError, "chosen has one byte for each slot");
            return NULL;
        }
    }
    if (!take_output(&out, arguments, inner->k, inner->size))
        return NULL;
    enter(self);
    PyThreadState *state = begin_long_call(out.count, inner->systematic + inner->coded, inner->size);
    result = generation_recode(inner, chosen, out.buffer.buf, out.count, out.step, out.where.head, out.where.body, seed,
                               (unsigned)density);
    end_long_call(state);
    leave(self);
    PyBuffer_Release(&out.buffer);
    if (result < 0)
        return PyErr_NoMemory();
    if (result == 0) {
        PyErr_SetString(PyExc_ValueError, "there is nothing to recode");
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *get_rank(PyObject *object, void *nothing)
{
    Generation *self = (Generation *)object;
    enter(self);
    const unsigned rank = self->inner.systematic + self->inner.coded;
    leave(self);
    return PyLong_FromUnsignedLong(rank);
}

static PyObject *get_decoded(PyObject *object, void *nothing)
{
    Generation *self = (Generation *)object;
    enter(self);
    const int decoded = self->inner.decoded;
    leave(self);
    return PyBool_FromLong(decoded);
}

static PyObject *get_memory(PyObject *object, void *nothing)
{
    Generation *self = (Generation *)object;
    const generation *inner = &self->inner;
    enter(self);
    const size_t matrices = (size_t)(inner->vectors != NULL) + (size_t)(inner->reduced != NULL);
    leave(self);
    return PyLong_FromSize_t(sizeof(Generation) + inner->k * inner->size + matrices * inner->k * inner->stride);
}

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef methods[] = {
    {"add", FAST(add), METH_FASTCALL, "add(number or vector, payload, tag): whether it was innovative."},
    {"add_batch", FAST(add_batch), METH_FASTCALL,
     "add_batch(buffer, count or offsets, step, head, body, vectors, tag): how many were innovative."},
    {"states", states, METH_NOARGS, "Per slot: 0 free, 1 systematic, 2 coded."},
    {"tag", tag, METH_O, "tag(slot)"},
    {"vector", vector, METH_O, "vector(slot): the coefficients of the packet."},
    {"packet", packet, METH_O, "packet(slot): the payload as it came."},
    {"remove", remove_packets, METH_O, "remove(slots): forgets these packets."},
    {"decode", decode, METH_NOARGS, "Makes the missing symbols, in place."},
    {"recode", FAST(recode), METH_FASTCALL, "recode(out, count, step, head, body, seed, density, chosen)"},
    {NULL, NULL, 0, NULL}};

static PyObject *get_symbols(PyObject *object, void *nothing)
{
    return PyMemoryView_FromObject(object);
}

static PyGetSetDef attributes[] = {
    {"symbols", get_symbols, NULL, "All slots, read-only: k x symbol_size.", NULL},
    {"rank", get_rank, NULL, "How many independent packets are stored.", NULL},
    {"decoded", get_decoded, NULL, "Whether all symbols are there.", NULL},
    {"memory", get_memory, NULL, "Bytes in use.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot type_slots[] = {
    {Py_tp_doc, "Generation(k, symbol_size, density, band, room=None): one generation at a receiver. A buffer."},
    {Py_tp_new, (void *)generation_new},
    {Py_tp_dealloc, (void *)generation_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_bf_getbuffer, (void *)generation_buffer},
    {0, NULL}};

static PyType_Spec type_spec = {"tribler_multicast.coding._native.Generation", sizeof(Generation), 0,
                                Py_TPFLAGS_DEFAULT, type_slots};

int add_to_generation(PyObject *object, PyObject *type, const uint8_t *identity, int is_vector, unsigned k,
                      const uint8_t *payload, size_t size, uint32_t tag)
{
    Generation *self = (Generation *)object;
    int result;
    if ((PyObject *)Py_TYPE(object) != type) {
        PyErr_SetString(PyExc_TypeError, "that is no Generation");
        return -1;
    }
    if (self->inner.k != k || self->inner.size != size) {
        PyErr_SetString(PyExc_ValueError, "that is a Generation of another code");
        return -1;
    }
    enter(self);
    result = is_vector ? generation_add_vector(&self->inner, identity, payload, tag)
                       : generation_add_number(&self->inner, get_32(identity), payload, tag);
    leave(self);
    if (result < 0)
        PyErr_NoMemory();
    return result;
}

int add_generation_type(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &type_spec, NULL);
    int result;
    if (type == NULL)
        return -1;
    result = PyModule_AddObjectRef(module, "Generation", type);
    Py_DECREF(type);
    return result;
}
