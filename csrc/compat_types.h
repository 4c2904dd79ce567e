/* What differs between CPython versions in types, functions and specialised code:
 * one accessor per differing field. */
#ifndef GCR_COMPAT_TYPES_H
#define GCR_COMPAT_TYPES_H

#include "compat.h"

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

/* 3.12 lets C code watch dicts (gh-91052), classes (gh-91051) and functions (gh-91054). */
#define GCR_WATCHERS GCR_PY312

/* Whose lowest bits say who watches the dict. PEP 509's tag, in which they were, left
 * with 3.14 (gh-124296). */
#if GCR_PY314
#  define GCR_DICT_TAG(dict) (((PyDictObject *)(dict))->_ma_watcher_tag)
#else
#  define GCR_DICT_TAG(dict) (((PyDictObject *)(dict))->ma_version_tag)
#endif

/* Whether anything may be cached under the class's version, which is there when the
 * class was looked at. 3.13 dropped the flag for a version of 0 (gh-114329). */
static inline int
gcr_type_has_version(PyTypeObject *type)
{
#if GCR_PY313
    return type->tp_version_tag != 0;
#else
    return (type->tp_flags & Py_TPFLAGS_VALID_VERSION_TAG) != 0;
#endif
}

/* What is cached under the version is found no more: no version is given twice. */
static inline void
gcr_type_forget_version(PyTypeObject *type)
{
#if !GCR_PY313
    type->tp_flags &= ~Py_TPFLAGS_VALID_VERSION_TAG;
#endif
    type->tp_version_tag = 0;
}

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

#endif
