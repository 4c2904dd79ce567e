/* What C code watches (PyDict_Watch and its like, 3.12): who is to be told, and how.
 *
 * The interpreter tells of a change to a dict or a function just before it makes it, with
 * the value that is to come. A remap is one change of the whole heap, and callbacks may run
 * Python code: they are told when it is complete. */
#include "compat_types.h"
#include "walk.h"

#if GCR_WATCHERS

/* ---- set-up ---------------------------------------------------------------- */

static int
watch_no_dict(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value)
{
    (void)event;
    (void)dict;
    (void)key;
    (void)value;
    return 0;
}

static int
watch_no_function(PyFunction_WatchEvent event, PyFunctionObject *func, PyObject *value)
{
    (void)event;
    (void)func;
    (void)value;
    return 0;
}

static int
watch_no_type(PyTypeObject *type)
{
    (void)type;
    return 0;
}

/* Registers one of each to see where the interpreter keeps it. With all places taken
 * there is nothing to be seen. */
const char *
gcr_watchers_init(void)
{
    PyInterpreterState *interp = PyInterpreterState_Get();
    int dict = PyDict_AddWatcher(watch_no_dict);
    int function = PyFunction_AddWatcher(watch_no_function);
    int type = PyType_AddWatcher(watch_no_type);
    const char *refusal = NULL;
    if (dict >= 0) {
        if (interp->dict_state.watchers[dict] != watch_no_dict) {
            refusal = gcr_layout_differs("PyInterpreterState.dict_state");
        }
        PyDict_ClearWatcher(dict);
    }
    if (function >= 0) {
        if (interp->func_watchers[function] != watch_no_function
            || !(interp->active_func_watchers & (1 << function))) {
            refusal = gcr_layout_differs("PyInterpreterState.func_watchers");
        }
        PyFunction_ClearWatcher(function);
    }
    if (type >= 0) {
        if (interp->type_watchers[type] != watch_no_type) {
            refusal = gcr_layout_differs("PyInterpreterState.type_watchers");
        }
        PyType_ClearWatcher(type);
    }
    PyErr_Clear();
    return refusal;
}

/* An exception of a callback goes where the interpreter sends it. As there, what was being
 * told of is named and not given: the hook might keep it. */
static void
report_failure(const char *what, const char *kind, PyObject *object)
{
    PyObject *place = PyUnicode_FromFormat("%s watcher callback for <%s at %p>", what, kind, object);
    PyErr_WriteUnraisable(place);
    Py_XDECREF(place);
}

/* ---- dicts ------------------------------------------------------------------ */

PyObject *
gcr_dict_of_values(PyObject *instance)
{
    PyObject **slot = gcr_managed_dict(instance);
    return slot == NULL ? NULL : *slot;
}

int
gcr_dict_is_watched(PyObject *dict)
{
    return PyDict_Check(dict)
           && (GCR_DICT_TAG(dict) & (((uint64_t)1 << DICT_MAX_WATCHERS) - 1)) != 0;
}

void
gcr_tell_dict(PyObject *dict, gcr_dict_event event, PyObject *key, PyObject *value)
{
    static const struct {
        PyDict_WatchEvent event;
        const char *name;
    } events[] = {
        [GCR_DICT_ADDED] = {PyDict_EVENT_ADDED, "PyDict_EVENT_ADDED"},
        [GCR_DICT_MODIFIED] = {PyDict_EVENT_MODIFIED, "PyDict_EVENT_MODIFIED"},
        [GCR_DICT_DELETED] = {PyDict_EVENT_DELETED, "PyDict_EVENT_DELETED"},
    };
    PyInterpreterState *interp = PyInterpreterState_Get();
    for (int i = 0; i < DICT_MAX_WATCHERS; i++) {
        PyDict_WatchCallback callback = interp->dict_state.watchers[i];
        if ((GCR_DICT_TAG(dict) >> i & 1) && callback != NULL
            && callback(events[event].event, dict, key, value) < 0) {
            report_failure(events[event].name, "dict", dict);
        }
    }
}

/* ---- functions --------------------------------------------------------------- */

int
gcr_functions_are_watched(void)
{
    return PyInterpreterState_Get()->active_func_watchers != 0;
}

void
gcr_tell_function(PyObject *function, gcr_function_field field, PyObject *value)
{
    static const struct {
        PyFunction_WatchEvent event;
        const char *name;
    } events[] = {
        [GCR_FUNCTION_CODE] = {PyFunction_EVENT_MODIFY_CODE, "PyFunction_EVENT_MODIFY_CODE"},
        [GCR_FUNCTION_DEFAULTS] = {PyFunction_EVENT_MODIFY_DEFAULTS,
                                   "PyFunction_EVENT_MODIFY_DEFAULTS"},
        [GCR_FUNCTION_KWDEFAULTS] = {PyFunction_EVENT_MODIFY_KWDEFAULTS,
                                     "PyFunction_EVENT_MODIFY_KWDEFAULTS"},
    };
    PyInterpreterState *interp = PyInterpreterState_Get();
    for (int i = 0; i < FUNC_MAX_WATCHERS; i++) {
        PyFunction_WatchCallback callback = interp->func_watchers[i];
        if (callback != NULL
            && callback(events[field].event, (PyFunctionObject *)function, value) < 0) {
            report_failure(events[field].name, "function", function);
        }
    }
}

/* ---- classes ------------------------------------------------------------------ */

int
gcr_types_are_watched(void)
{
    PyInterpreterState *interp = PyInterpreterState_Get();
    for (int i = 0; i < TYPE_MAX_WATCHERS; i++) {
        if (interp->type_watchers[i] != NULL) {
            return 1;
        }
    }
    return 0;
}

unsigned int
gcr_type_watchers(PyObject *object)
{
    PyTypeObject *type = (PyTypeObject *)object;
    return gcr_type_has_version(type) ? type->tp_watched : 0;
}

void
gcr_hold_back_type(PyObject *type)
{
    ((PyTypeObject *)type)->tp_watched = 0;
}

int
gcr_give_back_type(PyObject *object, unsigned int watchers)
{
    PyTypeObject *type = (PyTypeObject *)object;
    type->tp_watched = (unsigned char)watchers;
    return !gcr_type_has_version(type);
}

void
gcr_tell_type(PyObject *object)
{
    PyTypeObject *type = (PyTypeObject *)object;
    PyInterpreterState *interp = PyInterpreterState_Get();
    for (int i = 0; i < TYPE_MAX_WATCHERS; i++) {
        PyType_WatchCallback callback = interp->type_watchers[i];
        if ((type->tp_watched >> i & 1) && callback != NULL && callback(type) < 0) {
            report_failure("type", "type", object);
        }
    }
}

#else

const char *
gcr_watchers_init(void)
{
    return NULL;
}

PyObject *
gcr_dict_of_values(PyObject *instance)
{
    (void)instance;
    return NULL;
}

int
gcr_dict_is_watched(PyObject *dict)
{
    (void)dict;
    return 0;
}

void
gcr_tell_dict(PyObject *dict, gcr_dict_event event, PyObject *key, PyObject *value)
{
    (void)dict;
    (void)event;
    (void)key;
    (void)value;
}

int
gcr_functions_are_watched(void)
{
    return 0;
}

void
gcr_tell_function(PyObject *function, gcr_function_field field, PyObject *value)
{
    (void)function;
    (void)field;
    (void)value;
}

int
gcr_types_are_watched(void)
{
    return 0;
}

unsigned int
gcr_type_watchers(PyObject *type)
{
    (void)type;
    return 0;
}

void
gcr_hold_back_type(PyObject *type)
{
    (void)type;
}

int
gcr_give_back_type(PyObject *type, unsigned int watchers)
{
    (void)type;
    (void)watchers;
    return 0;
}

void
gcr_tell_type(PyObject *type)
{
    (void)type;
}

#endif

PyObject *
gcr_function_part(PyObject *function, gcr_function_field field)
{
    PyFunctionObject *func = (PyFunctionObject *)function;
    switch (field) {
    case GCR_FUNCTION_CODE:
        return func->func_code;
    case GCR_FUNCTION_DEFAULTS:
        return func->func_defaults;
    case GCR_FUNCTION_KWDEFAULTS:
        break;
    }
    return func->func_kwdefaults;
}
