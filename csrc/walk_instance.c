/* What a class statement adds to an instance: Objects/typeobject.c:subtype_traverse. */
#include "walk.h"

traverseproc gcr_subtype_traverse;

static int
walk_slots(PyObject *holder, PyTypeObject *type, gcr_walk_state *walk)
{
    PyMemberDef *member = type->tp_members;
    for (Py_ssize_t i = 0; member != NULL && i < Py_SIZE(type); i++, member++) {
        if (member->type == T_OBJECT_EX) {
            GCR_SHOW(.address = (PyObject **)((char *)holder + member->offset),
                     .name = member->name, .index = member->offset);
        }
    }
    return 0;
}

static int
walk_values(PyObject *holder, gcr_walk_state *walk)
{
    PyDictValues *values = gcr_instance_values(holder);
    PyDictKeysObject *keys = ((PyHeapTypeObject *)Py_TYPE(holder))->ht_cached_keys;
    if (values == NULL || keys == NULL) {
        return 0;
    }
    /* Once there is a dict, either of the two shows them, or both. */
    PyObject **dict = gcr_managed_dict(holder);
    uint32_t flags = dict != NULL && *dict != NULL ? GCR_HIDDEN | GCR_PERHAPS_SHOWN : 0;
    for (Py_ssize_t i = 0; i < keys->dk_nentries; i++) {
        GCR_SKIP_UNLESS_ASKED(values->values[i]);
        GCR_SHOW(.address = &values->values[i], .role = GCR_DICT_VALUE, .name = ".key", .index = i,
                 .key = DK_UNICODE_ENTRIES(keys)[i].me_key, .flags = flags);
    }
    return 0;
}

int
gcr_walk_managed_dict(PyObject *holder, gcr_walk_state *walk)
{
    int result = walk_values(holder, walk);
    if (result != 0) {
        return result;
    }
    PyObject **dict = gcr_managed_dict(holder);
    if (dict == NULL || *dict == NULL) {
        return 0;
    }
    /* 3.13.0 shows the values, while there are any, instead of the dict. */
    GCR_SHOW(.address = dict, .accepts = GCR_NOTHING, .name = ".__dict__",
             .flags = gcr_instance_values(holder) != NULL ? GCR_HIDDEN | GCR_PERHAPS_SHOWN : 0);
    return 0;
}

int
gcr_walk_instance(PyObject *holder, gcr_walk_state *walk, PyTypeObject **base)
{
    PyTypeObject *type = Py_TYPE(holder);
    PyTypeObject *at = type;
    for (; at->tp_traverse == gcr_subtype_traverse; at = at->tp_base) {
        if (Py_SIZE(at) > 0) {
            int result = walk_slots(holder, at, walk);
            if (result != 0) {
                return result;
            }
        }
    }
    *base = at;
    if (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) {
        int result = gcr_walk_managed_dict(holder, walk);
        if (result != 0) {
            return result;
        }
    }
    else if (type->tp_dictoffset != at->tp_dictoffset) {
        PyObject **dict = _PyObject_GetDictPtr(holder);
        if (dict != NULL) {
            GCR_SHOW(.address = dict, .accepts = GCR_EXACT_DICT, .name = ".__dict__");
        }
    }
    /* A heap-type base shows the class in its own traversal. */
    GCR_SHOW(.address = (PyObject **)&holder->ob_type, .role = GCR_OB_TYPE, .accepts = GCR_TYPE,
             .name = ".__class__",
             .flags = at->tp_traverse != NULL && (at->tp_flags & Py_TPFLAGS_HEAPTYPE)
                          ? GCR_HIDDEN | GCR_PERHAPS_SHOWN
                          : 0);
    return 0;
}

int
gcr_is_plain_class(PyTypeObject *type)
{
    if (type->tp_traverse != gcr_subtype_traverse
        || (type->tp_dictoffset != 0 && !(type->tp_flags & Py_TPFLAGS_MANAGED_DICT))) {
        return 0;
    }
    PyTypeObject *at = type;
    for (; at->tp_traverse == gcr_subtype_traverse; at = at->tp_base) {
        if (Py_SIZE(at) != 0) {
            return 0;
        }
    }
    return at == &PyBaseObject_Type;
}

PyObject *
gcr_instance_dict(PyObject *object)
{
    PyObject **dict = NULL;
    if (Py_TYPE(object)->tp_flags & Py_TPFLAGS_MANAGED_DICT) {
        dict = gcr_managed_dict(object);
    }
    return dict != NULL ? *dict : NULL;
}
