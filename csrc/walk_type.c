/* Objects/typeobject.c:type_traverse, and what it does not show. */
#include "walk.h"

int
gcr_walk_type(PyObject *holder, gcr_walk_state *walk)
{
    PyTypeObject *type = (PyTypeObject *)holder;
    if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
        return 0;
    }
    PyHeapTypeObject *heap = (PyHeapTypeObject *)holder;
    GCR_SHOW(.address = &type->tp_dict, .role = GCR_TYPE_DICT, .accepts = GCR_NOTHING,
             .name = ".__dict__");
    GCR_SHOW(.address = &type->tp_mro, .role = GCR_TYPE_MRO, .accepts = GCR_NOTHING,
             .name = ".__mro__");
    GCR_SHOW(.address = &type->tp_bases, .role = GCR_TYPE_BASES, .accepts = GCR_NOTHING,
             .name = ".__bases__");
    GCR_SHOW(.address = (PyObject **)&type->tp_base, .role = GCR_TYPE_BASE, .accepts = GCR_TYPE,
             .name = ".__base__");
    GCR_FIELD(type->tp_cache, GCR_NOTHING, "<cache>");
    GCR_FIELD(heap->ht_module, GCR_SAME_LAYOUT, "<module>");
    GCR_HIDDEN_FIELD(heap->ht_name, GCR_STR, ".__name__");
    GCR_HIDDEN_FIELD(heap->ht_qualname, GCR_STR, ".__qualname__");
    GCR_HIDDEN_FIELD(heap->ht_slots, GCR_NOTHING, "<slots>");
    GCR_SHOW(.address = (PyObject **)&type->tp_subclasses, .accepts = GCR_NOTHING,
             .name = "<subclasses>", .flags = GCR_HIDDEN);
    return 0;
}
