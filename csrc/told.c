/* Slots that a traversal tells: in an interpreter of patches/, Py_VISIT gives the
 * visitor two further arguments, the address of the field and its complement. */
#include "compat.h"

#if GCR_TRAVERSAL_TELLS

typedef struct told_walk {
    gcr_told_visitor visit;
    void *arg;
    /* The slot that was told last: a caller that does not tell slots may leave it
     * where arguments are passed. */
    PyObject **last;
} told_walk;

/* Whether the address is between this call's frame and that of the walk: there are
 * the local variables of traversals, which may visit a copy of what a field holds. */
static int
is_on_stack(PyObject **slot, const told_walk *walk)
{
    uintptr_t address = (uintptr_t)slot;
    uintptr_t inner = (uintptr_t)&address;
    uintptr_t outer = (uintptr_t)walk;
    return inner < outer ? (inner <= address && address <= outer)
                         : (outer <= address && address <= inner);
}

/* Called with anything in the last two by what was compiled elsewhere, or calls the
 * visitor itself: told is only what all agrees of. */
static int
visit_told(PyObject *referent, void *arg, PyObject **slot, uintptr_t check)
{
    told_walk *walk = arg;
    gcr_kind kind = GCR_STRONG;
    if (check != ~(uintptr_t)slot || slot == NULL || !gcr_told_holds(&slot, &kind, referent)
        || slot == walk->last || is_on_stack(slot, walk)) {
        slot = NULL;
    }
    else {
        walk->last = slot;
    }
    return walk->visit(referent, slot, kind, walk->arg);
}

int
gcr_traverse_told(PyObject *holder, gcr_told_visitor visit, void *arg)
{
    told_walk walk = {visit, arg, NULL};
    return gcr_traverse(holder, (gcr_object_visitor)(void (*)(void))visit_told, &walk);
}

static int
is_told(PyObject *referent, PyObject **slot, gcr_kind kind, void *told)
{
    (void)referent;
    (void)kind;
    *(int *)told = slot != NULL;
    return 0;
}

/* The headers are those of patches/; the interpreter may be another. */
int
gcr_traversal_tells(void)
{
    int told = 0;
    PyObject *sample = PyList_New(1);
    if (sample == NULL) {
        PyErr_Clear();
        return 0;
    }
    PyList_SET_ITEM(sample, 0, Py_NewRef(Py_None));
    gcr_traverse_told(sample, is_told, &told);
    Py_DECREF(sample);
    return told;
}

#else

typedef struct told_walk {
    gcr_told_visitor visit;
    void *arg;
} told_walk;

static int
visit_untold(PyObject *referent, void *arg)
{
    told_walk *walk = arg;
    return walk->visit(referent, NULL, GCR_STRONG, walk->arg);
}

int
gcr_traverse_told(PyObject *holder, gcr_told_visitor visit, void *arg)
{
    told_walk walk = {visit, arg};
    return gcr_traverse(holder, visit_untold, &walk);
}

int
gcr_traversal_tells(void)
{
    return 0;
}

#endif
