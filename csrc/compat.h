/* The only file with version tests: one accessor per field that differs, headed
 * by what changed. */
#ifndef GCREMAP_COMPAT_H
#define GCREMAP_COMPAT_H

/* The internal headers refuse to be included without it; the MODULE form leaves
 * the linkage of public symbols as it is for any extension. */
#define Py_BUILD_CORE_MODULE 1

#include <Python.h>

/* The version whose layouts are compiled in. */
#define GCR_BUILT_FOR PY_VERSION_HEX

#define GCR_PY312 (PY_VERSION_HEX >= 0x030C0000)
#define GCR_PY313 (PY_VERSION_HEX >= 0x030D0000)
#define GCR_PY314 (PY_VERSION_HEX >= 0x030E0000)
#define GCR_PY315 (PY_VERSION_HEX >= 0x030F0000)

/* Up to 3.15.0rc1 (0x030F00C1) the interpreter had what is imported lazily just now, not its
 * threads. */
#define GCR_HAS_LAZY_IMPORTS_OF_THREADS (PY_VERSION_HEX > 0x030F00C1)

/* The headers are those of patches/, whose Py_VISIT tells the visitor the slot, unless
 * the platform traps calls with further arguments. */
#if defined(Py_VISIT_VALUE) && !defined(Py_NO_VISIT_SLOTS)
#  define GCR_TRAVERSAL_TELLS 1
#else
#  define GCR_TRAVERSAL_TELLS 0
#endif

#include <opcode.h>
#include "internal/pycore_code.h"         // _PyCode_CODE()
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
#  include "internal/pycore_instruments.h" // what instrumented opcodes stand for
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

/* How a frame's words refer: objects until 3.13, stack references since 3.14. */
#if GCR_PY314
#  define GCR_FRAME_KIND GCR_STACKREF
#else
#  define GCR_FRAME_KIND GCR_STRONG
#endif

/* ---- frames ----------------------------------------------------------- */

typedef struct _PyInterpreterFrame gcr_frame;

/* 3.13 dropped _PyCFrame from the thread state (gh-110455). */
static inline gcr_frame *
gcr_thread_frame(PyThreadState *ts)
{
#if GCR_PY313
    return ts->current_frame;
#else
    return ts->cframe == NULL ? NULL : ts->cframe->current_frame;
#endif
}

/* 3.12 (gh-96421) put an entry frame of the interpreter's own between a C
 * caller and the Python frame it entered, where 3.11 has a flag in the Python
 * frame. Those entry frames own nothing, not even their f_executable, and most
 * of their fields are uninitialised. */
static inline int
gcr_frame_is_shim(const gcr_frame *frame)
{
#if GCR_PY314
    return frame->owner >= FRAME_OWNED_BY_INTERPRETER;
#elif GCR_PY312
    return frame->owner == FRAME_OWNED_BY_CSTACK;
#else
    (void)frame;
    return 0;
#endif
}

/* A generator's frame is its object's to show unless it executes. It is in the chain of
 * its thread all the same while a profiler is told that it yields, up to 3.13. */
static inline int
gcr_frame_is_suspended(const gcr_frame *frame)
{
    if (frame->owner != FRAME_OWNED_BY_GENERATOR) {
        return 0;
    }
    const char *gen = (const char *)frame - offsetof(PyGenObject, gi_iframe);
    return ((const PyGenObject *)gen)->gi_frame_state != FRAME_EXECUTING;
}

/* Whether what lies outside of `frame` in the chain is running C code that
 * (transitively) entered `frame`, rather than a Python call instruction. */
static inline int
gcr_frame_entered_from_c(const gcr_frame *frame)
{
#if GCR_PY312
    return gcr_frame_is_shim(frame);
#else
    return frame->is_entry;
#endif
}

/* f_code became f_executable in 3.13 (gh-109094), a stack reference in 3.14
 * (gh-118527). The frame must not be a shim. */
static inline PyCodeObject *
gcr_frame_code(gcr_frame *frame)
{
#if GCR_PY313
    return _PyFrame_GetCode(frame);
#else
    return frame->f_code;
#endif
}

static inline PyObject **
gcr_frame_code_slot(gcr_frame *frame)
{
#if GCR_PY313
    return (PyObject **)&frame->f_executable;
#else
    return (PyObject **)&frame->f_code;
#endif
}

/* f_func became f_funcobj in 3.12 (gh-96421). */
static inline PyObject **
gcr_frame_func_slot(gcr_frame *frame)
{
#if GCR_PY312
    return (PyObject **)&frame->f_funcobj;
#else
    return (PyObject **)&frame->f_func;
#endif
}

/* The index, in code units, of the instruction being executed; -1 before the
 * first. 3.13 replaced prev_instr by instr_ptr (gh-109214); while an
 * instruction runs both point at it, after any EXTENDED_ARG. */
static inline int
gcr_frame_instruction(gcr_frame *frame)
{
    return _PyInterpreterFrame_LASTI(frame);
}

static inline PyObject *
gcr_frame_referent(PyObject *word)
{
#if GCR_PY314
    uintptr_t bits = (uintptr_t)word;
    return bits & 2 ? NULL : (PyObject *)(bits & ~(uintptr_t)1);
#else
    return word;
#endif
}

#if GCR_TRAVERSAL_TELLS
/* Whether the slot that a traversal tells holds the referent. Since 3.14 the low bits of its
 * address say of which kind it is, and are taken off. */
static inline int
gcr_told_holds(PyObject ***slot, gcr_kind *kind, PyObject *referent)
{
    *kind = GCR_STRONG;
#  if GCR_PY314
    uintptr_t bits = (uintptr_t)*slot & _Py_SLOT_KIND;
    *slot = (PyObject **)((uintptr_t)*slot - bits);
    if (bits == _Py_SLOT_STACKREF) {
        *kind = GCR_STACKREF;
        return gcr_frame_referent(**slot) == referent;
    }
    if (bits != 0) {
        return 0;
    }
#  endif
    return **slot == referent;
}
#endif

/* Values that the JIT holds in registers are not in the frame (3.15 keeps the
 * top of the stack there even after spilling it). 3.13's tier 2 exists only in
 * builds configured for it and has no switch in the interpreter state. */
static inline int
gcr_jit_is_on(PyInterpreterState *interp)
{
#if GCR_PY314
    return interp->jit;
#else
    (void)interp;
    return 0;
#endif
}

/* 3.15's calls release callable and arguments in a C function that leaves the
 * callable's word on the stack (_Py_VectorCall_StackRefSteal), so that code its
 * deallocation runs would find it; 3.14 clears a word before it releases it. */
#define GCR_OPERANDS_ARE_LIVE (GCR_PY314 && !GCR_PY315)

/* sys.monitoring replaces opcodes in place (3.12, PEP 669) and keeps what it
 * replaced in tables. Their layout changed within 3.13 (gh-127953), so that
 * before 3.14 the answer is -1 where a line or instruction event is set. */
static inline int
gcr_code_unit_opcode(PyCodeObject *code, int index)
{
#if GCR_PY314
    int opcode = _PyCode_CODE(code)[index].op.code;
    if (opcode == INSTRUMENTED_LINE) {
        _PyCoLineInstrumentationData *lines = code->_co_monitoring->lines;
        opcode = lines->data[index * lines->bytes_per_entry];
    }
    if (opcode == INSTRUMENTED_INSTRUCTION) {
        opcode = code->_co_monitoring->per_instruction_opcodes[index];
    }
    return opcode;
#elif GCR_PY312
    int opcode = _PyCode_CODE(code)[index].op.code;
    return opcode == INSTRUMENTED_LINE || opcode == INSTRUMENTED_INSTRUCTION ? -1 : opcode;
#else
    return _Py_OPCODE(_PyCode_CODE(code)[index]);
#endif
}

static inline int
gcr_code_unit_oparg(PyCodeObject *code, int index)
{
#if GCR_PY312
    return _PyCode_CODE(code)[index].op.arg;
#else
    return _Py_OPARG(_PyCode_CODE(code)[index]);
#endif
}

/* How many words of a frame that does not run are live. 3.14 keeps a pointer where
 * 3.13 kept a depth. */
static inline Py_ssize_t
gcr_frame_live(const gcr_frame *frame)
{
#if GCR_PY314
    return frame->stackpointer - frame->localsplus;
#else
    return frame->stacktop;
#endif
}

/* What a frame object holds besides its frame: locals that were set through f_locals
 * and a dict made of all (3.13, PEP 667), locals that callees may still borrow (3.14). */
static inline PyObject **
gcr_frame_object_extra(PyFrameObject *object)
{
#if GCR_PY313
    return &object->f_extra_locals;
#else
    (void)object;
    return NULL;
#endif
}

static inline PyObject **
gcr_frame_object_cache(PyFrameObject *object)
{
#if GCR_PY313
    return &object->f_locals_cache;
#else
    (void)object;
    return NULL;
#endif
}

static inline PyObject **
gcr_frame_object_overwritten(PyFrameObject *object)
{
#if GCR_PY314
    return &object->f_overwritten_fast_locals;
#else
    (void)object;
    return NULL;
#endif
}

/* Whether the traversal of a module goes on into the state of its C code. 3.15 made
 * modules without a definition (PEP 793). */
static inline int
gcr_module_shows_state(PyObject *module)
{
#if GCR_PY315
    return ((PyModuleObject *)module)->md_state_traverse != NULL;
#else
    PyModuleDef *def = ((PyModuleObject *)module)->md_def;
    return def != NULL && def->m_traverse != NULL;
#endif
}

/* 3.12 added type parameters (PEP 695), 3.14 the function that makes annotations
 * (PEP 649). */
static inline PyObject **
gcr_function_typeparams(PyFunctionObject *func)
{
#if GCR_PY312
    return &func->func_typeparams;
#else
    (void)func;
    return NULL;
#endif
}

static inline PyObject **
gcr_function_annotate(PyFunctionObject *func)
{
#if GCR_PY314
    return &func->func_annotate;
#else
    (void)func;
    return NULL;
#endif
}

/* 3.12 dropped the code that 3.11's generators hold besides their frame (gh-96975). */
static inline PyObject **
gcr_generator_code(PyGenObject *gen)
{
#if GCR_PY312
    (void)gen;
    return NULL;
#else
    return (PyObject **)&gen->gi_code;
#endif
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

#endif
