/* What other files of the Python module do with generations. */
#ifndef TRIBLER_MULTICAST_MODULE_GENERATION_H
#define TRIBLER_MULTICAST_MODULE_GENERATION_H

#include "module.h"

#include "session.h"

int add_generation_type(PyObject *module);

/* Adds a packet to a Generation that must have so many symbols of so many bytes: 1 innovative, 0 not, -1 and an
   exception. type: the module's Generation. identity: a number (4 bytes), or a vector of k bytes. tag: it is kept with. */
int add_to_generation(PyObject *object, PyObject *type, const uint8_t *identity, int is_vector, unsigned k,
                      const uint8_t *payload, size_t size, uint32_t tag);

#endif
