/* Packets in buffers: where they lie, and whether they fit. */
#ifndef TRIBLER_MULTICAST_MODULE_PACKETS_H
#define TRIBLER_MULTICAST_MODULE_PACKETS_H

#include "module.h"

#define MAX_SYMBOL_SIZE 65535
#define MAX_NUMBER 0xFFFFFFFFu

/* Where in a packet its head (number or vector) and its payload lie. */
typedef struct {
    size_t head, head_size, body, extent;
} layout;

/* 0 and an exception when they are out of bounds or overlap. */
int get_layout(PyObject *head, PyObject *body, size_t head_size, size_t size, layout *found);

/* Where the packets are: as many as the argument says, each a step after the other, or at the offsets that it lists.
   NULL and an exception when one is not within the buffer. */
size_t *find_packets(PyObject *argument, Py_ssize_t length, size_t step, const layout *where, Py_ssize_t *count);

/* What encode and recode write: packets in a buffer. */
typedef struct {
    Py_buffer buffer;
    size_t count, step;
    layout where;
} output;

/* arguments: buffer, count, step, head, body. 0 and an exception when they do not fit. */
int take_output(output *taken, PyObject *const *arguments, size_t head_size, size_t size);

#endif
