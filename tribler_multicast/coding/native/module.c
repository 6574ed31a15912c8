/* The Python module: the arithmetic on buffers. The same functions as in fallback.py, which describes them. */
#include "module_arrivals.h"
#include "module_generation.h"
#include "module_session.h"

#include <stdlib.h>
#include <string.h>

/* Raised together with field.VERSION when what Python expects changes. */
#define VERSION 4

int has_arguments(const char *function, Py_ssize_t given, Py_ssize_t wanted)
{
    if (given == wanted)
        return 1;
    PyErr_Format(PyExc_TypeError, "%s() takes %zd arguments (%zd given)", function, wanted, given);
    return 0;
}

Py_ssize_t get_size(PyObject *argument, const char *what, Py_ssize_t least, Py_ssize_t most)
{
    const Py_ssize_t value = PyNumber_AsSsize_t(argument, PyExc_ValueError);
    if (value == -1 && PyErr_Occurred())
        return -1;
    if (value < least || value > most) {
        PyErr_Format(PyExc_ValueError, "%s is %zd to %zd", what, least, most);
        return -1;
    }
    return value;
}

int has_shape(const char *what, Py_ssize_t length, Py_ssize_t rows, Py_ssize_t columns)
{
    const int fits = columns == 0 || rows <= PY_SSIZE_T_MAX / columns;
    if (fits && length == rows * columns)
        return 1;
    PyErr_Format(PyExc_ValueError, "%s has %zd bytes instead of %zd x %zd", what, length, rows, columns);
    return 0;
}

int get_code(PyObject *const *arguments, code *parameters)
{
    Py_ssize_t k, density, band;
    if ((k = get_size(arguments[0], "k", 1, MAX_SYMBOLS)) < 0
        || (density = get_size(arguments[1], "density", 1, DENSE)) < 0
        || (band = get_size(arguments[2], "band", 0, k)) < 0)
        return 0;
    parameters->k = (unsigned)k;
    parameters->density = (unsigned)density;
    parameters->band = (unsigned)(band ? band : k);
    return 1;
}

static int overlap(const Py_buffer *a, const Py_buffer *b)
{
    const uintptr_t first = (uintptr_t)a->buf, second = (uintptr_t)b->buf;
    if (a->len == 0 || b->len == 0 || first + (uintptr_t)a->len <= second || second + (uintptr_t)b->len <= first)
        return 0;
    PyErr_SetString(PyExc_ValueError, "what is written overlaps what is read");
    return 1;
}

static PyObject *paths(PyObject *module, PyObject *nothing)
{
    Py_ssize_t count = 0;
    PyObject *names;
    while (gf_available[count] != NULL)
        count++;
    if ((names = PyTuple_New(count)) == NULL)
        return NULL;
    for (Py_ssize_t n = 0; n < count; n++) {
        PyObject *name = PyUnicode_FromString(gf_available[n]->name);
        if (name == NULL || PyTuple_SetItem(names, n, name) < 0) {
            Py_DECREF(names);
            return NULL;
        }
    }
    return names;
}

static PyObject *path(PyObject *module, PyObject *nothing)
{
    return PyUnicode_FromString(gf_current->name);
}

static PyObject *use(PyObject *module, PyObject *name)
{
    PyObject *text = PyUnicode_Check(name) ? PyUnicode_AsUTF8String(name) : NULL;
    const char *wanted = text ? PyBytes_AsString(text) : NULL;
    if (wanted != NULL)
        for (size_t n = 0; gf_available[n] != NULL; n++)
            if (strcmp(gf_available[n]->name, wanted) == 0) {
                gf_current = gf_available[n];
                Py_DECREF(text);
                Py_RETURN_NONE;
            }
    Py_XDECREF(text);
    if (!PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "no such path on this processor: %S", name);
    return NULL;
}

static PyObject *multiply(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    Py_ssize_t a, b;
    if (!has_arguments("multiply", count, 2) || (a = get_size(arguments[0], "an element of GF(2^8)", 0, 255)) < 0
        || (b = get_size(arguments[1], "an element of GF(2^8)", 0, 255)) < 0)
        return NULL;
    return PyLong_FromLong(gf_products[a][b]);
}

static PyObject *inverse(PyObject *module, PyObject *argument)
{
    const Py_ssize_t a = get_size(argument, "an element of GF(2^8)", 0, 255);
    if (a < 0)
        return NULL;
    if (a == 0) {
        PyErr_SetString(PyExc_ZeroDivisionError, "0 has no inverse");
        return NULL;
    }
    return PyLong_FromLong(gf_inverses[a]);
}

static PyObject *axpy(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    Py_buffer target, source;
    PyObject *result = NULL;
    Py_ssize_t factor;
    if (!has_arguments("axpy", count, 3) || (factor = get_size(arguments[1], "an element of GF(2^8)", 0, 255)) < 0
        || PyObject_GetBuffer(arguments[0], &target, PyBUF_WRITABLE) < 0)
        return NULL;
    if (PyObject_GetBuffer(arguments[2], &source, PyBUF_SIMPLE) == 0) {
        if (target.len != source.len)
            PyErr_SetString(PyExc_ValueError, "target and source differ in length");
        else if (target.buf == source.buf || !overlap(&target, &source)) {
            const gf_kernels *kernels = gf_current;
            PyThreadState *state = begin_long_call(1, 1, (size_t)target.len);
            kernels->axpy(target.buf, (uint8_t)factor, source.buf, (size_t)target.len);
            end_long_call(state);
            result = Py_NewRef(Py_None);
        }
        PyBuffer_Release(&source);
    }
    PyBuffer_Release(&target);
    return result;
}

static PyObject *scale(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    Py_buffer target;
    Py_ssize_t factor;
    if (!has_arguments("scale", count, 2) || (factor = get_size(arguments[1], "an element of GF(2^8)", 0, 255)) < 0
        || PyObject_GetBuffer(arguments[0], &target, PyBUF_WRITABLE) < 0)
        return NULL;
    const gf_kernels *kernels = gf_current;
    PyThreadState *state = begin_long_call(1, 1, (size_t)target.len);
    kernels->scale(target.buf, (uint8_t)factor, (size_t)target.len);
    end_long_call(state);
    PyBuffer_Release(&target);
    Py_RETURN_NONE;
}

static PyObject *dot(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    Py_buffer a, b;
    PyObject *result = NULL;
    if (!has_arguments("dot", count, 2) || PyObject_GetBuffer(arguments[0], &a, PyBUF_SIMPLE) < 0)
        return NULL;
    if (PyObject_GetBuffer(arguments[1], &b, PyBUF_SIMPLE) == 0) {
        if (a.len != b.len)
            PyErr_SetString(PyExc_ValueError, "the buffers differ in length");
        else {
            uint8_t sum;
            gf_current->dots(&sum, a.buf, 0, 1, b.buf, 0, 1, (size_t)a.len);
            result = PyLong_FromLong(sum);
        }
        PyBuffer_Release(&b);
    }
    PyBuffer_Release(&a);
    return result;
}

/* What dots and product share: out, left and right and the three sizes. */
typedef struct {
    Py_buffer out, left, right;
    Py_ssize_t rows, columns, size;
} operands;

static void release(operands *taken)
{
    PyBuffer_Release(&taken->out);
    PyBuffer_Release(&taken->left);
    PyBuffer_Release(&taken->right);
}

static int take(operands *taken, PyObject *out, PyObject *left, PyObject *right)
{
    if (PyObject_GetBuffer(out, &taken->out, PyBUF_WRITABLE) < 0)
        return 0;
    if (PyObject_GetBuffer(left, &taken->left, PyBUF_SIMPLE) == 0) {
        if (PyObject_GetBuffer(right, &taken->right, PyBUF_SIMPLE) == 0) {
            if (!overlap(&taken->out, &taken->left) && !overlap(&taken->out, &taken->right))
                return 1;
            PyBuffer_Release(&taken->right);
        }
        PyBuffer_Release(&taken->left);
    }
    PyBuffer_Release(&taken->out);
    return 0;
}

static int take_sizes(operands *taken, PyObject *rows, PyObject *columns, PyObject *size)
{
    return (taken->rows = get_size(rows, "rows", 0, PY_SSIZE_T_MAX)) >= 0
        && (taken->columns = get_size(columns, "columns", 0, PY_SSIZE_T_MAX)) >= 0
        && (taken->size = get_size(size, "size", 0, PY_SSIZE_T_MAX)) >= 0;
}

/* Whether so many rows of size bytes, stride bytes from one to the next, lie within length; an exception else. */
static int has_rows(Py_ssize_t length, Py_ssize_t rows, Py_ssize_t size, Py_ssize_t stride)
{
    if (stride < size)
        PyErr_Format(PyExc_ValueError, "rows of %zd bytes overlap when they begin every %zd", size, stride);
    else if (rows > 0 && (size > length || rows - 1 > (length - size) / stride))
        PyErr_Format(PyExc_ValueError, "%zd rows of %zd bytes, every %zd, do not fit in %zd", rows, size, stride,
                     length);
    else
        return 1;
    return 0;
}

static PyObject *dots(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    operands taken;
    Py_ssize_t stride = 0;
    PyObject *result = NULL;
    if ((count != 7 && !has_arguments("dots", count, 6))
        || (count == 7 && (stride = get_size(arguments[6], "stride", 0, PY_SSIZE_T_MAX)) < 0)
        || !take_sizes(&taken, arguments[2], arguments[4], arguments[5])
        || !take(&taken, arguments[0], arguments[1], arguments[3]))
        return NULL;
    if (has_shape("out", taken.out.len, taken.rows, taken.columns)
        && has_shape("a", taken.left.len, taken.rows, taken.size)
        && (stride > 0 ? has_rows(taken.right.len, taken.columns, taken.size, stride)
                       : has_shape("b", taken.right.len, taken.columns, taken.size))) {
        const gf_kernels *kernels = gf_current;
        const size_t rows = (size_t)taken.rows, columns = (size_t)taken.columns, size = (size_t)taken.size;
        PyThreadState *state = begin_long_call((size_t)taken.rows, (size_t)taken.columns, (size_t)taken.size);
        kernels->dots(taken.out.buf, taken.left.buf, size, rows, taken.right.buf, stride > 0 ? (size_t)stride : size,
                      columns, size);
        end_long_call(state);
        result = Py_NewRef(Py_None);
    }
    release(&taken);
    return result;
}

/* The product of matrices without holes: lists where the rows are, then multiplies. 0 when there is no memory. */
static int multiply_matrices(const operands *taken, const gf_kernels *kernels)
{
    const size_t rows = (size_t)taken->rows, columns = (size_t)taken->columns, size = (size_t)taken->size;
    uint8_t **outs = calloc(rows + 1, sizeof *outs);
    const uint8_t **sources = calloc(columns + 1, sizeof *sources);
    const int fits = outs != NULL && sources != NULL;
    if (fits) {
        for (size_t i = 0; i < rows; i++)
            outs[i] = (uint8_t *)taken->out.buf + i * size;
        for (size_t j = 0; j < columns; j++)
            sources[j] = (const uint8_t *)taken->right.buf + j * size;
        kernels->product(outs, taken->left.buf, columns, rows, columns, sources, size);
    }
    free(outs);
    free((void *)sources);
    return fits;
}

static PyObject *product(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    operands taken;
    PyObject *result = NULL;
    if (!has_arguments("product", count, 6) || !take_sizes(&taken, arguments[2], arguments[3], arguments[5])
        || !take(&taken, arguments[0], arguments[1], arguments[4]))
        return NULL;
    if (has_shape("out", taken.out.len, taken.rows, taken.size)
        && has_shape("matrix", taken.left.len, taken.rows, taken.columns)
        && has_shape("sources", taken.right.len, taken.columns, taken.size)) {
        const gf_kernels *kernels = gf_current;
        int done = 1;
        if (taken.size > 0) {
            PyThreadState *state = begin_long_call((size_t)taken.rows, (size_t)taken.columns, (size_t)taken.size);
            done = multiply_matrices(&taken, kernels);
            end_long_call(state);
        }
        result = done ? Py_NewRef(Py_None) : PyErr_NoMemory();
    }
    release(&taken);
    return result;
}

static PyObject *coefficients(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    uint8_t vector[256];
    unsigned long long seed;
    code parameters;
    if (!has_arguments("coefficients", count, 4) || !get_code(arguments + 1, &parameters))
        return NULL;
    seed = PyLong_AsUnsignedLongLong(arguments[0]);
    if (seed == (unsigned long long)-1 && PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_OverflowError))
            PyErr_SetString(PyExc_ValueError, "a seed has 64 bits");
        return NULL;
    }
    expand_seed(vector, seed, parameters);
    return PyBytes_FromStringAndSize((const char *)vector, (Py_ssize_t)parameters.k);
}

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef methods[] = {
    {"paths", paths, METH_NOARGS, "The ways to calculate on this processor, the best first."},
    {"path", path, METH_NOARGS, "The way in use."},
    {"use", use, METH_O, "Force one way to calculate."},
    {"multiply", FAST(multiply), METH_FASTCALL, "multiply(a, b): the product of two elements."},
    {"inverse", inverse, METH_O, "inverse(a): the inverse of an element."},
    {"axpy", FAST(axpy), METH_FASTCALL, "axpy(target, factor, source): target ^= factor * source."},
    {"scale", FAST(scale), METH_FASTCALL, "scale(target, factor): target = factor * target."},
    {"dot", FAST(dot), METH_FASTCALL, "dot(a, b): the inner product."},
    {"dots", FAST(dots), METH_FASTCALL, "dots(out, a, rows, b, columns, size, stride=0): inner products."},
    {"product", FAST(product), METH_FASTCALL, "product(out, matrix, rows, columns, sources, size): matrix product."},
    {"coefficients", FAST(coefficients), METH_FASTCALL, "coefficients(seed, k, density, band): a vector of k bytes."},
    {"encode", FAST(encode), METH_FASTCALL, "See fallback_packets.encode."},
    {"mac_key", make_mac_key, METH_O, "mac_key(key): what seal takes."},
    {"seal", FAST(seal), METH_FASTCALL, "See fallback_datagrams.seal."},
    {"lay", FAST(lay), METH_FASTCALL, "See fallback_datagrams.lay."},
    {"collect", FAST(collect), METH_FASTCALL, "See fallback_datagrams.collect."},
#ifdef __linux__
    {"receive", FAST(receive), METH_FASTCALL, "receive(file, buffer, slot): what arrived at a socket."},
#endif
    {NULL, NULL, 0, NULL}};

static int execute(PyObject *module)
{
    gf_prepare();
    if (PyModule_AddIntConstant(module, "VERSION", VERSION) < 0 || add_generation_type(module) < 0)
        return -1;
    return add_streams_type(module);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)execute}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", "Arithmetic and elimination of network coding.", 0, methods, slots, NULL, NULL,
    NULL};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&definition);
}
