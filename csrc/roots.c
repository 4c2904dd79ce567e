/* The slots that no object holds: those of the interpreter state, of thread
 * states and of static types.
 *
 * Not yielded: strings that C code interned or cached, the trashcan's list of
 * objects being deallocated. Of a thread's chain of handled exceptions only the last item is
 * its own; the others belong to generators, which show them. */
#include "compat_state.h"

#include "roots.h"
#include "type_tree.h"

typedef struct root_walk {
    gcr_slot_visitor visit;
    void *arg;
} root_walk;

static int
emit(const root_walk *walk, PyObject **address, gcr_kind kind, gcr_role role, gcr_accepts accepts,
     const char *name, intptr_t index, PyObject *key)
{
    if (*address == NULL) {
        return 0;
    }
    gcr_slot slot = {
        .address = address,
        .kind = kind,
        .role = role,
        .accepts = accepts,
        .flags = GCR_HIDDEN,
        .name = name,
        .index = index,
        .key = key,
    };
    return walk->visit(&slot, walk->arg);
}

#define ROOT_AS(field, kind, accepts, name)                                                     \
    do {                                                                                        \
        int result_ =                                                                           \
            emit(walk, (PyObject **)&(field), kind, GCR_PLAIN, accepts, name, 0, NULL);         \
        if (result_ != 0) {                                                                     \
            return result_;                                                                     \
        }                                                                                       \
    } while (0)
#define ROOT(field, accepts, name) ROOT_AS(field, GCR_STRONG, accepts, name)

/* ---- interpreter state ----------------------------------------------------- */

/* Containers and modules that C code uses without looking at their type, or
 * caches the contents of, are GCR_NOTHING: their contents can be replaced, they
 * themselves cannot. */
static int
visit_imports(const root_walk *walk, PyInterpreterState *interp)
{
    ROOT(GCR_IMPORTS(interp, modules), GCR_NOTHING, "sys.modules");
    ROOT(GCR_IMPORTS(interp, modules_by_index), GCR_NOTHING, "interpreter's extension modules");
    ROOT(GCR_IMPORTS(interp, importlib), GCR_NOTHING, "interpreter's importlib");
    /* Compared with builtins.__import__ to see whether that was replaced. */
    ROOT(GCR_IMPORTS(interp, import_func), GCR_NOTHING, "interpreter's __import__");
#if GCR_PY315
    ROOT(interp->imports.lazy_import_func, GCR_NOTHING, "interpreter's __lazy_import__");
    ROOT(interp->imports.lazy_imports_filter, GCR_ANY, "lazy imports filter");
    ROOT(interp->imports.lazy_modules, GCR_NOTHING, "sys.lazy_modules");
    ROOT(interp->imports.lazy_pending_submodules, GCR_NOTHING, "pending lazy submodules");
#endif
    return 0;
}

static int
visit_namespaces(const root_walk *walk, PyInterpreterState *interp)
{
    ROOT(interp->sysdict, GCR_NOTHING, "sys.__dict__");
    ROOT(interp->builtins, GCR_NOTHING, "builtins.__dict__");
    ROOT(interp->dict, GCR_NOTHING, "interpreter's dict");
    ROOT(interp->builtins_copy, GCR_NOTHING, "copy of builtins.__dict__");
#if GCR_PY312
    ROOT(interp->sysdict_copy, GCR_NOTHING, "copy of sys.__dict__");
#endif
    ROOT(GCR_CODECS(interp, search_path), GCR_NOTHING, "codecs search path");
    ROOT(GCR_CODECS(interp, search_cache), GCR_NOTHING, "codecs cache");
    ROOT(GCR_CODECS(interp, error_registry), GCR_NOTHING, "codecs error handlers");
    return 0;
}

static int
visit_hooks(const root_walk *walk, PyInterpreterState *interp)
{
#ifdef HAVE_FORK
    ROOT(interp->before_forkers, GCR_NOTHING, "os.register_at_fork functions (before)");
    ROOT(interp->after_forkers_parent, GCR_NOTHING, "os.register_at_fork functions (in parent)");
    ROOT(interp->after_forkers_child, GCR_NOTHING, "os.register_at_fork functions (in child)");
#endif
    ROOT(interp->audit_hooks, GCR_NOTHING, "audit hooks");
    ROOT(interp->warnings.filters, GCR_NOTHING, "warnings.filters");
    ROOT(interp->warnings.once_registry, GCR_NOTHING, "warnings.onceregistry");
    ROOT(interp->warnings.default_action, GCR_STR, "warnings.defaultaction");
#if GCR_PY314
    ROOT(interp->warnings.context, GCR_NOTHING, "warnings context");
#endif
    ROOT(interp->gc.garbage, GCR_SAME_LAYOUT, "gc.garbage");
    ROOT(interp->gc.callbacks, GCR_SAME_LAYOUT, "gc.callbacks");
    return 0;
}

/* 3.14 made the callbacks an ordinary list of tuples (gh-127791). */
static int
visit_atexit(const root_walk *walk, PyInterpreterState *interp)
{
#if GCR_PY314
    ROOT(interp->atexit.callbacks, GCR_NOTHING, "atexit callbacks");
#else
    for (int i = 0; i < interp->atexit.ncallbacks; i++) {
        if (interp->atexit.callbacks[i] == NULL) {
            continue; /* unregistered */
        }
        ROOT(interp->atexit.callbacks[i]->func, GCR_ANY, "atexit callback");
        ROOT(interp->atexit.callbacks[i]->args, GCR_TUPLE, "atexit callback's arguments");
        ROOT(interp->atexit.callbacks[i]->kwargs, GCR_EXACT_DICT, "atexit callback's keywords");
    }
#endif
    return 0;
}

/* 3.12 (PEP 669). */
static int
visit_monitoring(const root_walk *walk, PyInterpreterState *interp)
{
#if GCR_PY312
    for (size_t tool = 0; tool < Py_ARRAY_LENGTH(interp->monitoring_callables); tool++) {
        ROOT(interp->monitoring_tool_names[tool], GCR_STR, "sys.monitoring tool name");
        for (size_t i = 0; i < Py_ARRAY_LENGTH(interp->monitoring_callables[tool]); i++) {
            ROOT(interp->monitoring_callables[tool][i], GCR_ANY, "sys.monitoring callback");
        }
    }
#else
    (void)walk;
    (void)interp;
#endif
    return 0;
}

static int
visit_signals(const root_walk *walk, PyInterpreterState *interp)
{
    if (interp != PyInterpreterState_Main()) {
        return 0;
    }
    for (int i = 0; i < Py_NSIG; i++) {
        PyObject **handler = gcr_signal_handler(i);
        if (handler != NULL) {
            ROOT(*handler, GCR_ANY, "signal handler");
        }
    }
#if GCR_PY312
    ROOT(_PyRuntime.signals.default_handler, GCR_NOTHING, "signal.SIG_DFL");
    ROOT(_PyRuntime.signals.ignore_handler, GCR_NOTHING, "signal.SIG_IGN");
#endif
    return 0;
}

/* What the interpreter has made for itself, and compares with by address. */
static int
visit_caches(const root_walk *walk, PyInterpreterState *interp)
{
    ROOT(interp->exc_state.errnomap, GCR_NOTHING, "interpreter's OSError subclasses");
    ROOT(interp->exc_state.PyExc_ExceptionGroup, GCR_NOTHING, "interpreter's ExceptionGroup");
    ROOT_AS(interp->callable_cache.isinstance, GCR_BORROWED, GCR_NOTHING,
            "interpreter's isinstance");
    ROOT_AS(interp->callable_cache.len, GCR_BORROWED, GCR_NOTHING, "interpreter's len");
    ROOT_AS(interp->callable_cache.list_append, GCR_BORROWED, GCR_NOTHING,
            "interpreter's list.append");

    /* From its first object field on, this struct has nothing else. */
    PyObject **ast = &interp->ast.AST_type;
    size_t count = (sizeof interp->ast - offsetof(struct ast_state, AST_type)) / sizeof *ast;
    for (size_t i = 0; i < count; i++) {
        ROOT(ast[i], GCR_NOTHING, "interpreter's ast types");
    }

#if GCR_PY312
    ROOT_AS(interp->callable_cache.object__getattribute__, GCR_BORROWED, GCR_NOTHING,
            "interpreter's object.__getattribute__");
    struct _Py_interp_cached_objects *cached = &interp->cached_objects;
    ROOT(cached->interned_strings, GCR_NOTHING, "interned strings");
    ROOT_AS(cached->objreduce, GCR_BORROWED, GCR_NOTHING, "interpreter's object.__reduce__");
    ROOT(cached->generic_type, GCR_NOTHING, "interpreter's typing.Generic");
    ROOT(cached->typevar_type, GCR_NOTHING, "interpreter's typing.TypeVar");
    ROOT(cached->typevartuple_type, GCR_NOTHING, "interpreter's typing.TypeVarTuple");
    ROOT(cached->paramspec_type, GCR_NOTHING, "interpreter's typing.ParamSpec");
    ROOT(cached->paramspecargs_type, GCR_NOTHING, "interpreter's typing.ParamSpecArgs");
    ROOT(cached->paramspeckwargs_type, GCR_NOTHING, "interpreter's typing.ParamSpecKwargs");
#if GCR_PY314
    ROOT(cached->constevaluator_type, GCR_NOTHING, "interpreter's constevaluator");
    for (size_t i = 0; i < Py_ARRAY_LENGTH(interp->common_consts); i++) {
        ROOT_AS(interp->common_consts[i], GCR_BORROWED, GCR_NOTHING,
                "interpreter's common constants");
    }
#endif
#if GCR_PY315
    ROOT(cached->dict_descriptor, GCR_NOTHING, "interpreter's __dict__ descriptor");
    ROOT(cached->weakref_descriptor, GCR_NOTHING, "interpreter's __weakref__ descriptor");
#endif
#endif
    return 0;
}

/* ---- thread states ----------------------------------------------------------- */

static int
visit_exceptions(const root_walk *walk, PyThreadState *ts)
{
#if GCR_PY312
    ROOT(ts->current_exception, GCR_SAME_LAYOUT, "exception being raised");
#else
    ROOT(ts->curexc_type, GCR_SAME_LAYOUT, "class of the exception being raised");
    ROOT(ts->curexc_value, GCR_SAME_LAYOUT, "exception being raised");
    ROOT(ts->curexc_traceback, GCR_SAME_LAYOUT, "traceback of the exception being raised");
#endif
    ROOT(ts->exc_state.exc_value, GCR_SAME_LAYOUT, "exception being handled");
    ROOT(ts->async_exc, GCR_SAME_LAYOUT, "asynchronous exception");
    return 0;
}

static int
visit_thread(const root_walk *walk, PyThreadState *ts)
{
    int result = visit_exceptions(walk, ts);
    if (result != 0) {
        return result;
    }
    ROOT(ts->dict, GCR_NOTHING, "thread's dict");
    ROOT(ts->context, GCR_NOTHING, "thread's context");
    ROOT(ts->async_gen_firstiter, GCR_ANY, "sys.set_asyncgen_hooks firstiter");
    ROOT(ts->async_gen_finalizer, GCR_ANY, "sys.set_asyncgen_hooks finalizer");
    /* Next to a C function, which may be anyone's and trust the layout. */
    ROOT(ts->c_traceobj, GCR_SAME_LAYOUT, "sys.settrace callback");
    ROOT(ts->c_profileobj, GCR_SAME_LAYOUT, "sys.setprofile callback");
#if GCR_PY313
    ROOT(ts->threading_local_key, GCR_NOTHING, "thread's key for threading.local");
    ROOT(ts->threading_local_sentinel, GCR_NOTHING, "thread's sentinel for threading.local");
    _PyThreadStateImpl *impl = (_PyThreadStateImpl *)ts;
    ROOT(impl->asyncio_running_loop, GCR_ANY, "running event loop");
#endif
#if GCR_PY314
    ROOT(impl->asyncio_running_task, GCR_SAME_LAYOUT, "running asyncio task");
#endif
#if GCR_HAS_LAZY_IMPORTS_OF_THREADS
    ROOT(impl->lazy_imports, GCR_NOTHING, "thread's lazy imports");
#endif
    return 0;
}

/* ---- static types -------------------------------------------------------------- */

/* Static types are no business of the collector: no traversal shows what they
 * own. */
static int
visit_static_type(void *arg, PyTypeObject *type, PyObject **dict, PyObject **subclasses)
{
    if (type->tp_flags & Py_TPFLAGS_HEAPTYPE) {
        return 0;
    }
    const root_walk *walk = arg;
    PyObject *key = (PyObject *)type;
    int result = emit(walk, dict, GCR_STRONG, GCR_TYPE_DICT, GCR_NOTHING, ".__dict__", 0, key);
    if (result == 0) {
        result = emit(walk, &type->tp_bases, GCR_STRONG, GCR_TYPE_BASES, GCR_NOTHING,
                      ".__bases__", 0, key);
    }
    if (result == 0) {
        result = emit(walk, (PyObject **)&type->tp_base, GCR_STRONG, GCR_TYPE_BASE, GCR_NOTHING,
                      ".__base__", 0, key);
    }
    if (result == 0) {
        result =
            emit(walk, &type->tp_mro, GCR_STRONG, GCR_TYPE_MRO, GCR_NOTHING, ".__mro__", 0, key);
    }
    if (result == 0) {
        result = emit(walk, &type->tp_cache, GCR_STRONG, GCR_PLAIN, GCR_NOTHING, ".tp_cache", 0,
                      key);
    }
    if (result == 0) {
        result = emit(walk, subclasses, GCR_STRONG, GCR_PLAIN, GCR_NOTHING, ".__subclasses__", 0,
                      key);
    }
    return result;
}

int
gcr_roots(gcr_slot_visitor visit, void *arg)
{
    static int (*const parts[])(const root_walk *, PyInterpreterState *) = {
        visit_namespaces, visit_imports, visit_hooks,        visit_atexit, visit_monitoring,
        visit_signals,    visit_caches,
    };
    root_walk walk = {visit, arg};
    PyInterpreterState *interp = PyThreadState_Get()->interp;
    int result = 0;
    for (size_t i = 0; i < Py_ARRAY_LENGTH(parts) && result == 0; i++) {
        result = parts[i](&walk, interp);
    }
    if (result == 0) {
        result = gcr_type_tree(visit_static_type, &walk);
    }
    for (PyThreadState *ts = PyInterpreterState_ThreadHead(interp); ts != NULL && result == 0;
         ts = PyThreadState_Next(ts)) {
        result = visit_thread(&walk, ts);
    }
    return result;
}
