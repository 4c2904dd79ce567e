/* The only file with version tests: one accessor per field that differs, headed
 * by what changed. */
#ifndef GCREMAP_COMPAT_H
#define GCREMAP_COMPAT_H

/* The internal headers refuse to be included without it; the MODULE form leaves
 * the linkage of public symbols as it is for any extension. */
#define Py_BUILD_CORE_MODULE 1

#include <Python.h>

#define GCR_PY312 (PY_VERSION_HEX >= 0x030C0000)
#define GCR_PY313 (PY_VERSION_HEX >= 0x030D0000)
/* The collector's lists can be walked by layout: it did not change from 3.11 to
 * 3.13, and changed within 3.14. The public visitor of 3.12 and 3.13 passes over
 * frozen objects. */
#define GCR_GC_LISTS (PY_VERSION_HEX < 0x030E0000)
#define GCR_PY314 (PY_VERSION_HEX >= 0x030E0000)
#define GCR_PY315 (PY_VERSION_HEX >= 0x030F0000)

#include "internal/pycore_dict.h"         // DK_ENTRIES(), PyDictValues
#include "internal/pycore_frame.h"        // _PyInterpreterFrame
#include "internal/pycore_function.h"     // func_state: versions of functions
#include "internal/pycore_gc.h"           // _PyObject_GC_IS_TRACKED()
#include "internal/pycore_interp.h"       // generations (3.11)
#include "internal/pycore_moduleobject.h" // PyModuleObject
#include "internal/pycore_object.h"       // managed dict pointers
#if GCR_PY314
#  include "internal/pycore_genobject.h"   // PyGenObject left the public headers
#  include "internal/pycore_interpframe.h" // frames left pycore_frame.h
#endif
#include <structmember.h>

#include "gcremap.h"

/* 3.12 made objects immortal (PEP 683); 3.14 changed which bits say so. */
#if GCR_PY314
#  define GCR_IS_IMMORTAL(op) PyUnstable_IsImmortal(op)
#elif GCR_PY312
#  define GCR_IS_IMMORTAL(op) _Py_IsImmortal(op)
#else
/* 3.11 has singletons instead: small ints, one-character strings and the like
 * stand in the runtime itself (pycore_global_objects.h). */
static inline int
gcr_is_singleton(PyObject *op)
{
    const char *at = (const char *)op;
    const char *from = (const char *)&_PyRuntime;
    return (at >= from && at < from + sizeof(_PyRuntime)) || op == Py_None || op == Py_True
           || op == Py_False || op == Py_Ellipsis || op == Py_NotImplemented;
}
#  define GCR_IS_IMMORTAL(op) gcr_is_singleton(op)
#endif

/* 3.12 moved the dicts of static builtin types into the interpreter (gh-94673).
 * The reference that PyType_GetDict() returns is given back: the type owns one. */
static inline PyObject *
gcr_type_dict(PyTypeObject *type)
{
#if GCR_PY312
    PyObject *dict = PyType_GetDict(type);
    Py_XDECREF(dict);
    return dict;
#else
    return type->tp_dict;
#endif
}

/* The field of a frame that holds the code: f_code until 3.12, f_executable
 * since (gh-105727), a stack reference since 3.14 (gh-118450). */
#if GCR_PY313
#  define GCR_FRAME_CODE f_executable
#else
#  define GCR_FRAME_CODE f_code
#endif
#if GCR_PY312
#  define GCR_FRAME_FUNC f_funcobj
#else
#  define GCR_FRAME_FUNC f_func
#endif

/* How a frame's words refer: objects until 3.13, stack references since 3.14. */
#if GCR_PY314
#  define GCR_FRAME_KIND GCR_STACKREF
#else
#  define GCR_FRAME_KIND GCR_STRONG
#endif

/* The frame inside a generator and how many of its words are live; NULL when it
 * is finished or running. 3.14 keeps a pointer where 3.13 kept a depth. */
static inline _PyInterpreterFrame *
gcr_suspended_frame(PyGenObject *gen, Py_ssize_t *live)
{
    _PyInterpreterFrame *frame = (_PyInterpreterFrame *)&gen->gi_iframe;
    if (gen->gi_frame_state >= FRAME_EXECUTING) {
        return NULL;
    }
#if GCR_PY314
    *live = frame->stackpointer - frame->localsplus;
#else
    *live = frame->stacktop;
#endif
    return frame;
}

/* The attribute values that an instance keeps without a dict, in the order of its
 * class's shared keys: a pointer before the object in 3.11 and 3.12 (tagged since
 * 3.12), inside the object since 3.13 (gh-115776). NULL when it has a dict. */
static inline PyDictValues *
gcr_instance_values(PyObject *object)
{
#if GCR_PY313
    if (!(Py_TYPE(object)->tp_flags & Py_TPFLAGS_INLINE_VALUES)) {
        return NULL;
    }
    PyDictValues *values = _PyObject_InlineValues(object);
    return values->valid ? values : NULL;
#elif GCR_PY312
    PyDictOrValues both = *_PyObject_DictOrValuesPointer(object);
    return _PyDictOrValues_IsValues(both) ? _PyDictOrValues_GetValues(both) : NULL;
#else
    return *_PyObject_ValuesPointer(object);
#endif
}

/* Values inside an instance are shown by it (gh-115776), and by its dict too in
 * some patch releases of 3.13 and later (3.13.15 does, 3.13.0 does not). */
static inline int
gcr_values_are_embedded(PyDictValues *values)
{
#if GCR_PY313
    return values != NULL && values->embedded;
#else
    (void)values;
    return 0;
#endif
}

/* The slot of a managed dict. */
static inline PyObject **
gcr_managed_dict(PyObject *object)
{
#if GCR_PY313
    return (PyObject **)&_PyObject_ManagedDictPointer(object)->dict;
#elif GCR_PY312
    PyDictOrValues *both = _PyObject_DictOrValuesPointer(object);
    return _PyDictOrValues_IsValues(*both) ? NULL : &both->dict;
#else
    return _PyObject_ManagedDictPointer(object);
#endif
}

/* Words before the object that are the object's: managed dict, values, weak
 * reference list. 3.12 put the weak reference list there too. */
#define GCR_PREHEADER_WORDS 4

/* ---- type repair ------------------------------------------------------ */

/* gh-115776 (3.13) put an instance's values behind the object and gave them a flag
 * of their own; before, every managed dict could be such an array. */
#if GCR_PY313
#  define GCR_INLINE_VALUES 1
#  define GCR_TPFLAGS_VALUES Py_TPFLAGS_INLINE_VALUES
#else
#  define GCR_INLINE_VALUES 0
#  define GCR_TPFLAGS_VALUES Py_TPFLAGS_MANAGED_DICT
#endif

/* The words in front of an object that its class asks for: 3.12 added the weak
 * reference list to the dict. */
#if GCR_PY312
#  define GCR_TPFLAGS_PREHEADER (Py_TPFLAGS_MANAGED_DICT | Py_TPFLAGS_MANAGED_WEAKREF)
#else
#  define GCR_TPFLAGS_PREHEADER Py_TPFLAGS_MANAGED_DICT
#endif

/* The dict of {address: weak reference} of direct subclasses of a heap type.
 * gh-94673 (3.12) made the field a void pointer: an index for static types. */
static inline PyObject **
gcr_type_subclasses(PyTypeObject *heap_type)
{
    return (PyObject **)&heap_type->tp_subclasses;
}

/* Whether `type` adds fields to those of `base` that bar it from being combined
 * with another such class: typeobject.c's extra_ivars of 3.11 discounts
 * a weak list and dict at the end; shape_differs (3.12) has those in front of the
 * object. */
static inline int
gcr_type_extends_layout(PyTypeObject *type, PyTypeObject *base)
{
#if GCR_PY312
    return type->tp_basicsize != base->tp_basicsize || type->tp_itemsize != base->tp_itemsize;
#else
    Py_ssize_t size = type->tp_basicsize;
    const Py_ssize_t word = (Py_ssize_t)sizeof(PyObject *);
    if (type->tp_itemsize || base->tp_itemsize) {
        return size != base->tp_basicsize || type->tp_itemsize != base->tp_itemsize;
    }
    int heap = (type->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0;
    if (heap && type->tp_weaklistoffset && !base->tp_weaklistoffset &&
        type->tp_weaklistoffset + word == size) {
        size -= word;
    }
    if (heap && type->tp_dictoffset && !base->tp_dictoffset &&
        type->tp_dictoffset + word == size) {
        size -= word;
    }
    return size != base->tp_basicsize;
#endif
}

/* Functions are told apart in specialised code by a version. 3.13 caches
 * {function, code} by version (gh-117045); 3.14 marks a function that was changed, so
 * that it never gets a version again. */
static inline void
gcr_function_clear_version(PyFunctionObject *function)
{
#if GCR_PY313
    struct _func_version_cache_item *item =
        &PyInterpreterState_Get()->func_state.func_version_cache
             [function->func_version % FUNC_VERSION_CACHE_SIZE];
    if (item->func == function) {
        item->func = NULL;
    }
#endif
#ifdef FUNC_VERSION_CLEARED
    if (function->func_version >= FUNC_VERSION_FIRST_VALID) {
        function->func_version = FUNC_VERSION_CLEARED;
    }
#else
    function->func_version = 0;
#endif
}

/* Tier-2 code rests on assumptions that name no object at all; 3.14 exports the
 * one call that drops it all. Only CPython's own build knows whether tier 2 is in
 * (_Py_TIER2 is in no installed header), hence the weak reference. Before 3.14
 * nothing is exported, and tier 2 is a build option nobody ships. */
#if GCR_PY314
extern void _Py_Executors_InvalidateAll(PyInterpreterState *, int) __attribute__((weak));

static inline void
gcr_drop_executors(void)
{
    if (_Py_Executors_InvalidateAll != NULL) {
        _Py_Executors_InvalidateAll(PyInterpreterState_Get(), 1);
    }
}
#else
static inline void
gcr_drop_executors(void)
{
}
#endif

/* ---- hash tables ------------------------------------------------------- */

/* 3.15 has frozendict, a dict in layout but not a subclass (gh-141510). */
static inline int
gcr_is_dict(PyObject *object)
{
#if GCR_PY315
    return PyAnyDict_Check(object);
#else
    return PyDict_Check(object);
#endif
}

/* 3.13 moved key tables from the object allocator to the memory one
 * (Objects/dictobject.c, new_keys_object; gh-112532). A table handed to a dict
 * is freed by CPython, so it must come from the same one. */
static inline void *
gcr_dict_keys_malloc(size_t size)
{
#if GCR_PY313
    return PyMem_Malloc(size);
#else
    return PyObject_Malloc(size);
#endif
}

static inline void
gcr_dict_keys_free(PyDictKeysObject *keys)
{
#if GCR_PY313
    PyMem_Free(keys);
#else
    PyObject_Free(keys);
#endif
}

/* Which of a split table's shared keys is the i-th in insertion order. 3.13
 * moved the order from in front of the values to behind them (gh-115776). */
static inline Py_ssize_t
gcr_split_index(PyDictObject *dict, Py_ssize_t i)
{
#if GCR_PY313
    return get_insertion_order_array(dict->ma_values)[i];
#else
    return ((uint8_t *)dict->ma_values)[-3 - i];
#endif
}

/* What dictresize() does with the values of a table that is no longer split.
 * 3.13 embeds them in the instance, where they are only marked as left
 * (gh-115776); before, the dict had taken the block over. */
static inline void
gcr_split_values_leave(PyDictValues *values)
{
#if GCR_PY313
    if (values->embedded) {
        values->valid = 0;
        return;
    }
    PyMem_Free(values);
#else
    PyMem_Free((char *)values - ((uint8_t *)values)[-1]);
#endif
}

/* Whether C code asked to be told of changes to the dict (3.12, gh-91051). */
static inline int
gcr_dict_watchers(PyDictObject *dict)
{
#if GCR_PY314
    return (int)(dict->_ma_watcher_tag & DICT_WATCHER_MASK);
#elif GCR_PY312
    return (int)(dict->ma_version_tag & ((1u << DICT_MAX_WATCHERS) - 1));
#else
    (void)dict;
    return 0;
#endif
}

/* Gives the dict the version of `fresh`, a dict just modified. PEP 509's tag,
 * which Cython's caches of module globals rely on, left with 3.14 (gh-124296).
 * 3.11's counter is not exported, hence the detour over another dict. The low
 * bits belong to watchers since 3.12, and more of them to tier 2 since 3.13. */
static inline void
gcr_dict_take_version(PyDictObject *dict, PyDictObject *fresh)
{
#if GCR_PY314
    (void)dict;
    (void)fresh;
#elif GCR_PY312
    uint64_t low = (uint64_t)DICT_VERSION_INCREMENT - 1;
    dict->ma_version_tag = (fresh->ma_version_tag & ~low) | (dict->ma_version_tag & low);
#else
    dict->ma_version_tag = fresh->ma_version_tag;
#endif
}

/* Hashes stored in objects whose type did not always do so: a tuple's since
 * 3.14 (gh-131525), a frozendict's since 3.15. */
static inline Py_hash_t *
gcr_cached_hash(PyObject *object)
{
#if GCR_PY315
    if (PyFrozenDict_Check(object)) {
        return &((PyFrozenDictObject *)object)->ma_hash;
    }
#endif
#if GCR_PY314
    if (PyTuple_Check(object)) {
        return &((PyTupleObject *)object)->ob_hash;
    }
#endif
    (void)object;
    return NULL;
}

/* ---- weak references --------------------------------------------------- */

/* Since 3.12 the weak references of static builtin types are in the
 * interpreter's state, which is not exported (gh-103083). */
static inline int
gcr_weakrefs_elsewhere(PyObject *object)
{
#if GCR_PY312
    return PyType_Check(object)
           && (((PyTypeObject *)object)->tp_flags & _Py_TPFLAGS_STATIC_BUILTIN) != 0;
#else
    (void)object;
    return 0;
#endif
}

#endif
