/* Whether the layouts compiled in are those of the running interpreter.
 *
 * An extension is built with the headers of one patch release and loaded by
 * others of the same version. What differs must be found here, at import: later
 * it would be a crash. Nothing here follows a pointer of an unchecked layout. */
#include "compat_layout.h"
#include "walk.h"

#include <stdio.h>
#include <string.h>

#if defined(Py_DEBUG)
#  define BUILT_FOR_DEBUG 1
#else
#  define BUILT_FOR_DEBUG 0
#endif
#if defined(Py_TRACE_REFS)
#  define BUILT_FOR_TRACE 1
#else
#  define BUILT_FOR_TRACE 0
#endif

static char sentence[256];

/* "3.13.15" of "3.13.15 (main, ...)". */
static int
version_length(void)
{
    return (int)strcspn(Py_GetVersion(), " ");
}

const char *
gcr_layout_differs(const char *what)
{
    snprintf(sentence, sizeof(sentence),
             "gcremap was built with the headers of CPython %s, and this CPython %.*s lays out "
             "its memory otherwise (%s): install it again here",
             PY_VERSION, version_length(), Py_GetVersion(), what);
    return sentence;
}

static const char *
other_build(const char *built_for, const char *running)
{
    snprintf(sentence, sizeof(sentence),
             "gcremap was built for a %s of CPython, and this CPython %.*s is a %s: "
             "install it again here",
             built_for, version_length(), Py_GetVersion(), running);
    return sentence;
}

static const char *
build_refusal(void)
{
    static const char *const kinds[] = {"release build", "debug build"};
    static const char *const traces[] = {"build without Py_TRACE_REFS", "build with Py_TRACE_REFS"};
    /* In sys exactly when the interpreter was built so. */
    int debug = PySys_GetObject("gettotalrefcount") != NULL;
    int trace = PySys_GetObject("getobjects") != NULL;
    if (debug != BUILT_FOR_DEBUG) {
        return other_build(kinds[BUILT_FOR_DEBUG], kinds[debug]);
    }
    if (trace != BUILT_FOR_TRACE) {
        return other_build(traces[BUILT_FOR_TRACE], traces[trace]);
    }
    return NULL;
}

#if GCR_PY313
static const char *
offsets_refusal(void)
{
    const _Py_DebugOffsets *table = &_PyRuntime.debug_offsets;
    if (memcmp(table->cookie, "xdebugpy", sizeof(table->cookie)) != 0) {
        return gcr_layout_differs("the runtime's own table of offsets");
    }
    if (table->free_threaded) {
        return other_build("build with the GIL", "free-threaded build");
    }
    const struct {
        const char *what;
        uint64_t built;
        uint64_t running;
    } offsets[] = {
#  define OFFSET(place, type, field) {#place, offsetof(type, field), table->place},
        GCR_OFFSETS(OFFSET)
#  undef OFFSET
    };
    for (size_t i = 0; i < Py_ARRAY_LENGTH(offsets); i++) {
        if (offsets[i].built != offsets[i].running) {
            return gcr_layout_differs(offsets[i].what);
        }
    }
    return NULL;
}
#else
static const char *
offsets_refusal(void)
{
    return NULL;
}
#endif

static const char *
sizes_refusal(void)
{
    /* A type's tp_basicsize is at the same place in all versions: it is public. */
    const struct {
        const PyTypeObject *type;
        size_t size;
    } types[] = {
        {&PyList_Type, sizeof(PyListObject)},
        /* PyTuple_Type has no room for the one item of the struct. */
        {&PyTuple_Type, sizeof(PyTupleObject) - sizeof(PyObject *)},
        {&PyDict_Type, sizeof(PyDictObject)},
        {&PySet_Type, sizeof(PySetObject)},
        {&PyFrozenSet_Type, sizeof(PySetObject)},
        {&PyCell_Type, sizeof(PyCellObject)},
        {&PyFunction_Type, sizeof(PyFunctionObject)},
        {&PyMethod_Type, sizeof(PyMethodObject)},
        {&PyCFunction_Type, sizeof(PyCFunctionObject)},
        {&PyModule_Type, sizeof(PyModuleObject)},
        {&PyType_Type, sizeof(PyHeapTypeObject)},
        {&_PyWeakref_RefType, sizeof(PyWeakReference)},
        {&PyCode_Type, offsetof(PyCodeObject, co_code_adaptive)},
        {&PyGen_Type, offsetof(PyGenObject, gi_iframe) + offsetof(gcr_frame, localsplus)},
        {&PyCoro_Type, offsetof(PyCoroObject, cr_iframe) + offsetof(gcr_frame, localsplus)},
        {&PyAsyncGen_Type, offsetof(PyAsyncGenObject, ag_iframe) + offsetof(gcr_frame, localsplus)},
    };
    for (size_t i = 0; i < Py_ARRAY_LENGTH(types); i++) {
        if ((size_t)types[i].type->tp_basicsize != types[i].size) {
            return gcr_layout_differs(types[i].type->tp_name);
        }
    }
    return NULL;
}

/* Fields of the interpreter's state that something public returns too, from its
 * beginning to near its end. */
static const char *
state_refusal(void)
{
    PyThreadState *ts = PyThreadState_Get();
    PyInterpreterState *interp = PyThreadState_GetInterpreter(ts);
    if (ts->interp != interp) {
        return gcr_layout_differs("PyThreadState.interp");
    }
    if (GCR_IMPORTS(interp, modules) != PyImport_GetModuleDict()) {
        return gcr_layout_differs("PyInterpreterState.modules");
    }
    /* Made by the first to ask for it. */
    PyObject *dict = PyInterpreterState_GetDict(interp);
    if (interp->dict != dict) {
        return gcr_layout_differs("PyInterpreterState.dict");
    }
    if (interp->threads.head != PyInterpreterState_ThreadHead(interp)) {
        return gcr_layout_differs("PyInterpreterState.threads");
    }
    if (PyThreadState_Next(ts) != ts->next) {
        return gcr_layout_differs("PyThreadState.next");
    }
    return NULL;
}

/* The first frame of `code` from `frame` outwards: CPython passes over those that
 * have not begun. */
static gcr_frame *
frame_of(gcr_frame *frame, PyCodeObject *code)
{
    while (frame != NULL && (gcr_frame_is_shim(frame) || gcr_frame_code(frame) != code)) {
        frame = frame->previous;
    }
    return frame;
}

/* Compares the frames that CPython shows with those of the layout. */
static const char *
frames_refusal(void)
{
    gcr_frame *frame = gcr_thread_frame(PyThreadState_Get());
    PyFrameObject *shown = PyEval_GetFrame();
    Py_XINCREF(shown);
    const char *refusal = NULL;
    while (shown != NULL) {
        PyCodeObject *code = PyFrame_GetCode(shown);
        frame = frame_of(frame, code);
        if (frame == NULL) {
            refusal = gcr_layout_differs("frame");
        }
        else {
            frame = frame->previous;
        }
        Py_DECREF(code);
        PyFrameObject *back = refusal == NULL ? PyFrame_GetBack(shown) : NULL;
        Py_DECREF(shown);
        shown = back;
    }
    return refusal;
}

const char *
gcr_layout_refusal_of_runtime(void)
{
    const char *(*const checks[])(void) = {
        build_refusal, offsets_refusal, sizes_refusal, state_refusal, frames_refusal,
    };
    for (size_t i = 0; i < Py_ARRAY_LENGTH(checks); i++) {
        const char *refusal = checks[i]();
        if (refusal != NULL) {
            return refusal;
        }
    }
    return NULL;
}
