/* Streams of io that keep a str or bytes beside a number that C code takes for its length:
 * what a BytesIO was made of, and what a TextIOWrapper has yet to write or to hand out. */
#include "types_internal.h"

/* Owned. */
static PyTypeObject *bytes_stream, *text_stream;

const char *
gcr_text_io_init(void)
{
    PyObject *module = PyImport_ImportModule("_io");
    if (module != NULL && text_stream == NULL) {
        bytes_stream = (PyTypeObject *)PyObject_GetAttrString(module, "BytesIO");
        text_stream = (PyTypeObject *)PyObject_GetAttrString(module, "TextIOWrapper");
    }
    Py_XDECREF(module);
    PyErr_Clear();
    return bytes_stream == NULL || text_stream == NULL ? "this interpreter has no io" : NULL;
}

static int
is_text(PyObject *object)
{
    return PyBytes_Check(object) || PyUnicode_Check(object);
}

int
gcr_is_stream(PyObject *object)
{
    return PyType_IsSubtype(Py_TYPE(object), text_stream)
           || PyType_IsSubtype(Py_TYPE(object), bytes_stream);
}

int
gcr_stream_relies_on(PyObject *object, PyObject *old)
{
    return is_text(old) && gcr_is_stream(object);
}

static int
note_list(PyObject *referent, void *list)
{
    if (PyList_CheckExact(referent)) {
        *(PyObject **)list = referent;
    }
    return 0;
}

PyObject *
gcr_pending_list(PyObject *object)
{
    /* The list of what is yet to be written is all that it has of the kind. */
    PyObject *list = NULL;
    if (PyType_IsSubtype(Py_TYPE(object), text_stream)) {
        gcr_traverse(object, note_list, &list);
    }
    return list;
}

int
gcr_may_be_pending(PyObject *holder, PyObject *old)
{
    return PyList_CheckExact(holder) && is_text(old);
}
