/* Which objects there are, and what the collector's protocol says of each. */
#include "walk.h"

int
gcr_is_gc(PyObject *object)
{
    return PyObject_IS_GC(object);
}

int
gcr_is_tracked(PyObject *object)
{
    return PyObject_GC_IsTracked(object);
}

void
gcr_track(PyObject *object)
{
    if (!PyObject_GC_IsTracked(object)) {
        PyObject_GC_Track(object);
    }
}

void
gcr_make_young(PyObject *object)
{
    if (object != NULL && PyObject_IS_GC(object) && PyObject_GC_IsTracked(object)) {
        PyObject_GC_UnTrack(object);
        PyObject_GC_Track(object);
    }
}

void
gcr_make_class_young(PyObject *class_)
{
    /* NULL once the collector has cleared the class. */
    PyObject *mro = ((PyTypeObject *)class_)->tp_mro;
    for (Py_ssize_t i = 0; mro != NULL && i < PyTuple_GET_SIZE(mro); i++) {
        PyTypeObject *each = (PyTypeObject *)PyTuple_GET_ITEM(mro, i);
        if (!PyType_HasFeature(each, Py_TPFLAGS_HEAPTYPE)) {
            continue;
        }
        PyObject *value;
        Py_ssize_t position = 0;
        while (PyDict_Next(gcr_type_dict(each), &position, NULL, &value)) {
            if (Py_IS_TYPE(value, &PyGetSetDescr_Type) || Py_IS_TYPE(value, &PyMemberDescr_Type)) {
                gcr_make_young(value);
            }
        }
        gcr_make_young(gcr_type_dict(each));
        gcr_make_young(each->tp_bases);
        gcr_make_young(each->tp_mro);
        gcr_make_young((PyObject *)each);
    }
}

int
gcr_is_immortal(PyObject *object)
{
    return GCR_IS_IMMORTAL(object);
}

int
gcr_type_is_leaf(PyTypeObject *type)
{
    return type == &PyUnicode_Type || type == &PyLong_Type || type == &PyBytes_Type
           || type == &PyFloat_Type || type == &PyBool_Type || type == &PyComplex_Type
           || type == &PyByteArray_Type || type == &PyBaseObject_Type;
}

int
gcr_is_leaf(PyObject *object)
{
    return gcr_type_is_leaf(Py_TYPE(object)) || object == Py_None;
}

int
gcr_is_unlisted(PyObject *object)
{
    if (gcr_is_leaf(object)) {
        return 0;
    }
    return !_PyObject_IS_GC(object) || !_PyObject_GC_IS_TRACKED(object);
}

int
gcr_shows_all(PyObject *holder)
{
    PyTypeObject *type = Py_TYPE(holder);
    return type == &PyDict_Type || type == &PyTuple_Type || type == &PyList_Type
           || type == &PyCell_Type || type == &PySet_Type || type == &PyFrozenSet_Type;
}

int
gcr_is_definition(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    return type == &PyFunction_Type || type == &PyCell_Type || type == &PyClassMethod_Type
           || type == &PyStaticMethod_Type || type == &PyProperty_Type
           || type == &PyGetSetDescr_Type || type == &PyMemberDescr_Type;
}

int
gcr_traverse(PyObject *holder, gcr_object_visitor visit, void *arg)
{
    traverseproc traverse = Py_TYPE(holder)->tp_traverse;
    /* Static types have type_traverse but are no GC objects; it asserts so. */
    if (traverse == NULL || !PyObject_IS_GC(holder)) {
        return 0;
    }
    return traverse(holder, visit, arg);
}

void
gcr_extent(PyObject *object, char **start, char **end)
{
    PyTypeObject *type = Py_TYPE(object);
    Py_ssize_t size = type->tp_basicsize;
    if (PyType_Check(object)) {
        /* Members of a heap type follow it; a static type is just the struct. */
        size = PyType_HasFeature((PyTypeObject *)object, Py_TPFLAGS_HEAPTYPE)
                   ? type->tp_basicsize
                   : (Py_ssize_t)sizeof(PyTypeObject);
    }
    if (type->tp_itemsize > 0 && (size_t)size >= sizeof(PyVarObject)) {
        /* An int has no ob_size: it carries the sign, and since 3.12 other tags
         * (gh-101291). */
        Py_ssize_t items = PyLong_Check(object)
                               ? 2 + (Py_ssize_t)_PyLong_NumBits(object) / PyLong_SHIFT
                               : ((PyVarObject *)object)->ob_size;
        /* Frames and generators have items but keep other things in ob_size. */
        if (!PyFrame_Check(object) && !PyGen_CheckExact(object) && !PyCoro_CheckExact(object)
            && !PyAsyncGen_CheckExact(object)) {
            size += (items < 0 ? -items : items) * type->tp_itemsize;
        }
    }
    size = (size + (Py_ssize_t)sizeof(void *) - 1) & ~((Py_ssize_t)sizeof(void *) - 1);
    *start = (char *)object;
    *end = (char *)object + size;
}
