/* Context variables that are replaced where contexts have values for them.
 *
 * A context's mapping is a HAMT of nodes that contexts share and nobody else may
 * change, placed by hash. So a context gets a mapping made anew, by the calls that
 * set variables, and the commit swaps the two. */
#include "compat.h"
#include "gcremap.h"
#include "internal/pycore_context.h"

#include <string.h>

typedef struct changed_context {
    PyContext *context; /* owned */
    PyContext *fresh;   /* has the mapping to come, and later the former one */
} changed_context;

struct gcr_contexts {
    changed_context *items;
    size_t count, room;
    size_t replaced;
    PyObject *collisions; /* list of (context, variable, lost value) */
    gcr_forward forward; /* only during prepare */
    gcr_object_filter may_change;
    void *arg;
    int failed;
};

int
gcr_is_context_node(PyObject *object)
{
    /* Its types are not exported. */
    return strncmp(Py_TYPE(object)->tp_name, "hamt_", 5) == 0;
}

static int
collect(PyObject *object, void *arg)
{
    gcr_contexts *contexts = arg;
    if (!PyContext_CheckExact(object) || !contexts->may_change(object, contexts->arg)) {
        return 0;
    }
    if (contexts->count == contexts->room) {
        size_t room = contexts->room == 0 ? 64 : 2 * contexts->room;
        changed_context *grown = PyMem_RawRealloc(contexts->items, room * sizeof *grown);
        if (grown == NULL) {
            contexts->failed = 1;
            return 1;
        }
        contexts->items = grown;
        contexts->room = room;
    }
    contexts->items[contexts->count++] =
        (changed_context){(PyContext *)Py_NewRef(object), NULL};
    return 0;
}

/* How many of the variables in a list of (variable, value) are replaced. */
static size_t
count_replaced(const gcr_contexts *contexts, PyObject *items)
{
    size_t count = 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); i++) {
        PyObject *variable = PyTuple_GET_ITEM(PyList_GET_ITEM(items, i), 0);
        count += contexts->forward(variable, contexts->arg) != variable;
    }
    return count;
}

/* The variable had a value already: two of the context's became one. */
static int
add_collision(const gcr_contexts *contexts, PyObject *context, PyObject *variable,
              PyObject *token)
{
    PyObject *lost = ((PyContextToken *)token)->tok_oldval;
    if (lost == NULL) {
        return 0;
    }
    PyObject *collision = PyTuple_Pack(3, context, variable, lost);
    int result = collision == NULL ? -1 : PyList_Append(contexts->collisions, collision);
    Py_XDECREF(collision);
    return result;
}

static int
fill(const gcr_contexts *contexts, const changed_context *changed, PyObject *items)
{
    PyObject *fresh = (PyObject *)changed->fresh;
    if (PyContext_Enter(fresh) < 0) {
        return -1;
    }
    int result = 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items) && result == 0; i++) {
        PyObject *item = PyList_GET_ITEM(items, i);
        PyObject *variable = contexts->forward(PyTuple_GET_ITEM(item, 0), contexts->arg);
        PyObject *value = contexts->forward(PyTuple_GET_ITEM(item, 1), contexts->arg);
        PyObject *token = PyContextVar_Set(variable, value);
        result = token == NULL ? -1
                               : add_collision(contexts, (PyObject *)changed->context, variable, token);
        Py_XDECREF(token);
    }
    return PyContext_Exit(fresh) < 0 ? -1 : result;
}

/* Makes the mapping to come of one context, if any of its variables is replaced. */
static int
prepare_one(gcr_contexts *contexts, changed_context *changed)
{
    PyObject *items = PyMapping_Items((PyObject *)changed->context);
    if (items == NULL) {
        return -1;
    }
    int result = 0;
    size_t replaced = count_replaced(contexts, items);
    if (replaced > 0) {
        contexts->replaced += replaced;
        changed->fresh = (PyContext *)PyContext_New();
        result = changed->fresh == NULL ? -1 : fill(contexts, changed, items);
    }
    Py_DECREF(items);
    return result;
}

gcr_contexts *
gcr_contexts_prepare(gcr_forward forward, gcr_object_filter may_change, void *arg)
{
    gcr_contexts *contexts = PyMem_RawCalloc(1, sizeof *contexts);
    if (contexts == NULL) {
        return NULL;
    }
    contexts->forward = forward;
    contexts->may_change = may_change;
    contexts->arg = arg;
    contexts->collisions = PyList_New(0);
    contexts->failed = contexts->collisions == NULL;
    gcr_heap(collect, contexts);
    for (size_t i = 0; i < contexts->count && !contexts->failed; i++) {
        contexts->failed = prepare_one(contexts, &contexts->items[i]) < 0;
    }
    if (contexts->failed) {
        PyErr_Clear();
        gcr_contexts_release(contexts);
        return NULL;
    }
    return contexts;
}

void
gcr_contexts_commit(gcr_contexts *contexts)
{
    for (size_t i = 0; i < contexts->count; i++) {
        changed_context *changed = &contexts->items[i];
        if (changed->fresh != NULL) {
            PyHamtObject *former = changed->context->ctx_vars;
            changed->context->ctx_vars = changed->fresh->ctx_vars;
            changed->fresh->ctx_vars = former;
        }
    }
}

size_t
gcr_contexts_replaced(const gcr_contexts *contexts)
{
    return contexts->replaced;
}

void
gcr_contexts_release(gcr_contexts *contexts)
{
    for (size_t i = 0; i < contexts->count; i++) {
        Py_DECREF(contexts->items[i].context);
        Py_XDECREF(contexts->items[i].fresh);
    }
    Py_XDECREF(contexts->collisions);
    PyMem_RawFree(contexts->items);
    PyMem_RawFree(contexts);
}

PyObject *
gcr_contexts_collisions(const gcr_contexts *contexts)
{
    return contexts->collisions;
}

PyObject *
gcr_contexts_changed(const gcr_contexts *contexts, size_t k)
{
    for (size_t i = 0; i < contexts->count; i++) {
        if (contexts->items[i].fresh != NULL && k-- == 0) {
            return (PyObject *)contexts->items[i].context;
        }
    }
    return NULL;
}
