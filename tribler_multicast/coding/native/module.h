/* What the files of the Python module share. */
#ifndef TRIBLER_MULTICAST_MODULE_H
#define TRIBLER_MULTICAST_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "coefficients.h"
#include "gf256.h"

/* From so many multiplications of bytes on the interpreter lock is released: 10 microseconds with GFNI, 40 with AVX2,
   200 with portable code. Not for less: who releases it may have to wait 5 ms for its turn. */
#define LONG_CALL (1u << 22)

/* NULL when a call of rows x columns x size multiplications is not that long. */
static inline PyThreadState *begin_long_call(size_t rows, size_t columns, size_t size)
{
    return (double)rows * (double)columns * (double)size >= LONG_CALL ? PyEval_SaveThread() : NULL;
}

static inline void end_long_call(PyThreadState *state)
{
    if (state != NULL)
        PyEval_RestoreThread(state);
}

/* Whether length is rows x columns; an exception else. */
int has_shape(const char *what, Py_ssize_t length, Py_ssize_t rows, Py_ssize_t columns);
/* An argument as an integer in these limits; -1 and an exception else. */
Py_ssize_t get_size(PyObject *argument, const char *what, Py_ssize_t least, Py_ssize_t most);
/* Whether a call has this many arguments; an exception else. */
int has_arguments(const char *function, Py_ssize_t given, Py_ssize_t wanted);
/* The parameters of a code from three arguments; 0 and an exception when there is none. */
int get_code(PyObject *const *arguments, code *parameters);

PyObject *encode(PyObject *module, PyObject *const *arguments, Py_ssize_t count);

#endif
