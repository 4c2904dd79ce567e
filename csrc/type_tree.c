/* Every type that is alive, found from the top: nothing lists the static types of
 * extensions, but each type is a subclass of some other. */
#include "type_tree.h"

#include "compat_types.h"
#include "gcremap.h"

typedef struct tree_walk {
    gcr_type_visitor visit;
    void *arg;
} tree_walk;

/* Going down by way of tp_base visits each type once: it is in the subclasses of all
 * its bases. `subclasses` maps addresses to weak references. Recursion is as deep as
 * the deepest class hierarchy. */
static int
visit_subclasses(const tree_walk *walk, PyTypeObject *parent, PyObject *subclasses)
{
    if (subclasses == NULL || !PyDict_CheckExact(subclasses)) {
        return 0;
    }
    Py_ssize_t position = 0;
    PyObject *reference;
    int result = 0;
    while (result == 0 && PyDict_Next(subclasses, &position, NULL, &reference)) {
        PyObject *object = ((PyWeakReference *)reference)->wr_object;
        if (!PyType_Check(object)) {
            continue;
        }
        PyTypeObject *type = (PyTypeObject *)object;
        if (type->tp_base != parent || gcr_type_is_managed(type)) {
            continue;
        }
        PyObject **own = (PyObject **)&type->tp_subclasses;
        result = walk->visit(walk->arg, type, &type->tp_dict, own);
        if (result == 0) {
            result = visit_subclasses(walk, type, *own);
        }
    }
    return result;
}

#if GCR_PY312

int
gcr_type_tree(gcr_type_visitor visit, void *arg)
{
    tree_walk walk = {visit, arg};
    PyInterpreterState *interp = PyThreadState_Get()->interp;
    for (int table = 0; table < 2; table++) {
        size_t count;
        gcr_static_type_state *states = gcr_static_type_states(interp, table, &count);
        for (size_t i = 0; i < count; i++) {
            PyTypeObject *type = states[i].type;
            if (type == NULL) {
                continue;
            }
            int result = visit(arg, type, &states[i].tp_dict, &states[i].tp_subclasses);
            if (result == 0) {
                result = visit_subclasses(&walk, type, states[i].tp_subclasses);
            }
            if (result != 0) {
                return result;
            }
        }
    }
    return 0;
}

#else

int
gcr_type_tree(gcr_type_visitor visit, void *arg)
{
    tree_walk walk = {visit, arg};
    PyTypeObject *object = &PyBaseObject_Type;
    PyObject **subclasses = (PyObject **)&object->tp_subclasses;
    int result = visit(arg, object, &object->tp_dict, subclasses);
    return result != 0 ? result : visit_subclasses(&walk, object, *subclasses);
}

#endif

typedef struct types_visit {
    gcr_object_visitor visit;
    void *arg;
} types_visit;

static int
show_type(void *arg, PyTypeObject *type, PyObject **dict, PyObject **subclasses)
{
    (void)dict;
    (void)subclasses;
    const types_visit *types = arg;
    return types->visit((PyObject *)type, types->arg);
}

int
gcr_types(gcr_object_visitor visit, void *arg)
{
    types_visit types = {visit, arg};
    return gcr_type_tree(show_type, &types);
}

int
gcr_module_namespaces(gcr_object_visitor visit, void *arg)
{
    PyObject *modules = PyImport_GetModuleDict();
    if (modules == NULL || !PyDict_Check(modules)) {
        return 0;
    }
    Py_ssize_t position = 0;
    PyObject *module;
    int result = 0;
    while (result == 0 && PyDict_Next(modules, &position, NULL, &module)) {
        if (PyModule_CheckExact(module)) {
            result = visit(PyModule_GetDict(module), arg);
        }
    }
    return result;
}

int
gcr_type_leave_bases(PyObject *type)
{
    PyObject *bases = ((PyTypeObject *)type)->tp_bases;
    PyObject *key = PyLong_FromVoidPtr(type);
    if (key == NULL) {
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(bases); i++) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(bases, i);
        if (!(base->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
            continue;
        }
        PyObject *subclasses = *gcr_type_subclasses(base);
        if (subclasses != NULL && PyDict_DelItem(subclasses, key) < 0) {
            PyErr_Clear(); /* it is not there */
        }
    }
    Py_DECREF(key);
    return 0;
}
