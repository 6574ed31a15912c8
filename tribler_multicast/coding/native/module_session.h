/* The datagrams of a session, as the Python module offers them. */
#ifndef TRIBLER_MULTICAST_MODULE_SESSION_H
#define TRIBLER_MULTICAST_MODULE_SESSION_H

#include "module.h"

#include "session.h"

/* From so many bytes of MACs on the interpreter lock is released: 70 microseconds with AVX-512, 400 with portable code.
   What one call of the kernel brings is below. */
#define LONG_MACS (1u << 18)

static inline PyThreadState *begin_long_macs(size_t size, size_t count)
{
    return (double)size * (double)count >= LONG_MACS ? PyEval_SaveThread() : NULL;
}

/* More than one call of the kernel brings; products of them cannot overflow. */
#define MOST_SIZE 65535
#define MOST_COUNT 65535

/* flags: PyBUF_SIMPLE, or PyBUF_WRITABLE when it is to be decrypted. */
int get_arrived(Py_buffer *buffer, PyObject *data, PyObject *size, int flags, arrived *found);

PyObject *make_mac_key(PyObject *module, PyObject *key);
PyObject *seal(PyObject *module, PyObject *const *arguments, Py_ssize_t given);
PyObject *lay(PyObject *module, PyObject *const *arguments, Py_ssize_t given);
PyObject *collect(PyObject *module, PyObject *const *arguments, Py_ssize_t given);
int add_streams_type(PyObject *module);

#endif
