/* The Python type of what arrives in a session: the same as in fallback_datagrams.py. */
#include "module_session.h"

#include <string.h>

typedef struct {
    PyObject_HEAD
    streams inner;
} Streams;

int get_arrived(Py_buffer *buffer, PyObject *data, PyObject *size, int flags, arrived *found)
{
    const Py_ssize_t each = get_size(size, "size", 0, MOST_SIZE);
    if (each < 0 || PyObject_GetBuffer(data, buffer, flags) < 0)
        return 0;
    found->data = buffer->buf;
    found->length = (size_t)buffer->len;
    found->size = (size_t)each;
    return 1;
}

/* Copies exactly so many bytes; 0 and an exception when there are others. */
static int copy_exactly(uint8_t *target, const char *what, Py_ssize_t wanted, PyObject *argument)
{
    Py_buffer given;
    if (PyObject_GetBuffer(argument, &given, PyBUF_SIMPLE) < 0)
        return 0;
    const int right = has_shape(what, given.len, 1, wanted);
    if (right)
        memcpy(target, given.buf, (size_t)wanted);
    PyBuffer_Release(&given);
    return right;
}

static PyObject *streams_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    PyObject *tag, *keys[2], *ciphers[2] = {Py_None, Py_None};
    if (keywords != NULL && PyDict_Size(keywords) != 0) {
        PyErr_SetString(PyExc_TypeError, "Streams() takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(arguments, "OOO|OO", &tag, &keys[0], &keys[1], &ciphers[0], &ciphers[1]))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Streams *self = (Streams *)allocate(type, 0);
    if (self == NULL)
        return NULL;
    int right = copy_exactly(self->inner.tag, "tag", TAG_SIZE, tag);
    for (unsigned n = 0; right && n < 2; n++) {
        uint8_t key[MAC_KEY_SIZE], cipher[CIPHER_KEY_SIZE];
        const int is_encrypted = ciphers[n] != Py_None;
        if (keys[n] == Py_None)
            stream_open(&self->inner.streams[n], NULL, NULL);
        else if ((right = copy_exactly(key, "key", MAC_KEY_SIZE, keys[n])
                          && (!is_encrypted || copy_exactly(cipher, "cipher", CIPHER_KEY_SIZE, ciphers[n]))))
            stream_open(&self->inner.streams[n], key, is_encrypted ? cipher : NULL);
    }
    if (!right) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void streams_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

/* take(buffer, size, count, now, clock): (verdicts, accepted, least, time, ask) */
static PyObject *take(PyObject *object, PyObject *const *arguments, Py_ssize_t given)
{
    Streams *self = (Streams *)object;
    const int is_encrypted = self->inner.streams[0].is_encrypted || self->inner.streams[1].is_encrypted;
    Py_ssize_t count, clock;
    PyObject *verdicts;
    Py_buffer buffer;
    arrived from;
    summary found;
    double now;
    if (!has_arguments("take", given, 5) || (count = get_size(arguments[2], "count", 0, MOST_COUNT)) < 0
        || ((now = PyFloat_AsDouble(arguments[3])) == -1.0 && PyErr_Occurred())
        || (clock = get_size(arguments[4], "clock", 0, 0xFFFFFFFF)) < 0
        || !get_arrived(&buffer, arguments[0], arguments[1], is_encrypted ? PyBUF_WRITABLE : PyBUF_SIMPLE, &from))
        return NULL;
    from.count = (size_t)count;
    if ((verdicts = PyBytes_FromStringAndSize(NULL, count)) != NULL) {
        uint8_t *made = (uint8_t *)PyBytes_AsString(verdicts);
        const mac_lanes *lanes = gf_current->macs;
        const cipher_lanes *cipher = gf_current->cipher;
        PyThreadState *state = begin_long_macs(from.size, from.count);
        streams_check(&self->inner, lanes, &from, made);
        end_long_call(state);
        streams_admit(&self->inner, &from, made, now, (uint32_t)clock, &found);
        if (is_encrypted) {
            state = begin_long_macs(from.size, from.count);
            streams_decrypt(&self->inner, cipher, &from, buffer.buf, made);
            end_long_call(state);
        }
    }
    PyBuffer_Release(&buffer);
    if (verdicts == NULL)
        return NULL;
    return Py_BuildValue("(NIIII)", verdicts, (unsigned)found.accepted, (unsigned)found.least, (unsigned)found.time,
                         (unsigned)found.ask);
}

/* arrival(stream): (highest, count, time, at) */
static PyObject *arrival(PyObject *object, PyObject *argument)
{
    const Py_ssize_t which = get_size(argument, "a stream", 0, 1);
    if (which < 0)
        return NULL;
    const stream *its = &((Streams *)object)->inner.streams[which];
    return Py_BuildValue("(LKId)", (long long)its->highest, (unsigned long long)its->count, (unsigned)its->time,
                         its->at);
}

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef methods[] = {
    {"take", FAST(take), METH_FASTCALL, "See fallback_datagrams.Streams.take."},
    {"arrival", arrival, METH_O, "arrival(stream): highest sequence, how many came, time in the highest, when it came."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot type_slots[] = {
    {Py_tp_doc, "Streams(tag, group_key, unicast_key, group_cipher=None, unicast_cipher=None): what arrives in a session."},
    {Py_tp_new, (void *)streams_new},
    {Py_tp_dealloc, (void *)streams_dealloc},
    {Py_tp_methods, methods},
    {0, NULL}};

static PyType_Spec type_spec = {"tribler_multicast.coding._native.Streams", sizeof(Streams), 0, Py_TPFLAGS_DEFAULT,
                                type_slots};

int add_streams_type(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &type_spec, NULL);
    int result;
    if (type == NULL)
        return -1;
    result = PyModule_AddObjectRef(module, "Streams", type);
    Py_DECREF(type);
    return result;
}
