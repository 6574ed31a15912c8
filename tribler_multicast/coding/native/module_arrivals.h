/* What arrives at a socket, as the Python module offers it. */
#ifndef TRIBLER_MULTICAST_MODULE_ARRIVALS_H
#define TRIBLER_MULTICAST_MODULE_ARRIVALS_H

#include "module.h"

#ifdef __linux__
PyObject *receive(PyObject *module, PyObject *const *arguments, Py_ssize_t given);
#endif

#endif
