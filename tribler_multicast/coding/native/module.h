/* What the files of the Python module share. */
#ifndef TRIBLER_MULTICAST_MODULE_H
#define TRIBLER_MULTICAST_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "coefficients.h"
#include "gf256.h"

/* With so many multiplications of bytes or more the interpreter lock is released: it takes some microseconds. */
#define LONG_CALL (1u << 20)

/* Whether length is rows x columns; an exception else. */
int has_shape(const char *what, Py_ssize_t length, Py_ssize_t rows, Py_ssize_t columns);
/* An argument as an integer in these limits; -1 and an exception else. */
Py_ssize_t get_size(PyObject *argument, const char *what, Py_ssize_t least, Py_ssize_t most);
/* Whether a call has this many arguments; an exception else. */
int has_arguments(const char *function, Py_ssize_t given, Py_ssize_t wanted);
/* The parameters of a code from three arguments; 0 and an exception when there is none. */
int get_code(PyObject *const *arguments, code *parameters);

PyObject *encode(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
int add_generation_type(PyObject *module);

#endif
