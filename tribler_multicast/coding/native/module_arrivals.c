/* What arrives at a socket, for Python. */
#include "module_arrivals.h"

#ifdef __linux__

#include "arrivals.h"

#include <errno.h>

#define LARGEST_SLOT 65536

/* receive(file, buffer, slot): up to 64 messages, as many as slots of the buffer, not waiting. Gets how many there were,
   how many datagrams were longer than a slot, what the kernel has dropped so far (-1: it does not tell), and a list of
   runs: offset and length in the buffer, size, count, when (nanoseconds since 1970, or -1), index and hops (or -1), and
   the address of the sender as the system has it. */
PyObject *receive(PyObject *module, PyObject *const *arguments, Py_ssize_t given)
{
    Py_ssize_t file, slot;
    Py_buffer buffer;
    arrivals got;
    int error;
    if (!has_arguments("receive", given, 3) || (file = get_size(arguments[0], "file", 0, 0x7FFFFFFF)) < 0
        || (slot = get_size(arguments[2], "slot", 1, LARGEST_SLOT)) < 0
        || PyObject_GetBuffer(arguments[1], &buffer, PyBUF_WRITABLE) < 0)
        return NULL;
    const size_t slots = (size_t)(buffer.len / slot);
    PyThreadState *state = PyEval_SaveThread();
    do
        error = receive_arrivals((int)file, buffer.buf, (size_t)slot,
                                 (unsigned)(slots < MOST_MESSAGES ? slots : MOST_MESSAGES), &got);
    while (error == EINTR);
    PyEval_RestoreThread(state);
    PyBuffer_Release(&buffer);
    if (error) {
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    PyObject *runs = PyList_New((Py_ssize_t)got.runs);
    for (unsigned i = 0; runs != NULL && i < got.runs; i++) {
        const run *each = &got.found[i];
        PyObject *made = Py_BuildValue("(nnIILiiy#)", (Py_ssize_t)each->offset, (Py_ssize_t)each->length, each->size,
                                       each->count, (long long)each->when, (int)each->index, (int)each->hops,
                                       (const char *)&each->sender, (Py_ssize_t)each->sender_size);
        if (made == NULL || PyList_SetItem(runs, (Py_ssize_t)i, made) < 0)
            Py_CLEAR(runs);
    }
    if (runs == NULL)
        return NULL;
    return Py_BuildValue("(IILN)", got.messages, got.truncated, (long long)got.lost, runs);
}

#else
typedef int no_such_system;
#endif
