/* Where the collector's lists begin, and the visit of what is on them.
 *
 * The fields of its state are the same from 3.11 to 3.13, where the public visitor passes over
 * frozen objects or is not there, and changed more than once within 3.14. That visitor takes
 * and gives back a count of each object, and so writes to the whole heap: a pass by the lists
 * takes half the time. All collectors have the heads side by side, the youngest first, where
 * new objects come; that it is so in the one that runs is seen by following the visitor once. */
#include "gc_lists.h"
#include "walk.h"

#if !GCR_PY314

void
gcr_lists_init(void)
{
}

/* By the pointer to the first: a distribution's build may align the heads less than the
 * headers do (Debian's 3.13.15), and then they begin elsewhere. */
int
gcr_list_heads(PyGC_Head *heads[GCR_LISTS])
{
    struct _gc_runtime_state *gc = &PyThreadState_Get()->interp->gc;
    struct gc_generation *youngest = (struct gc_generation *)gc->generation0;
    for (int i = 0; i < NUM_GENERATIONS; i++) {
        heads[i] = &youngest[i].head;
    }
    heads[NUM_GENERATIONS] = &gc->permanent_generation.head;
    return 1;
}

static int
visit_all(gcr_object_visitor visit, void *arg)
{
    (void)visit;
    (void)arg;
    return 0;
}

#else

static enum { UNKNOWN, AS_EXPECTED, DIFFERENT } layout;
static size_t youngest; /* where its head is in the state of an interpreter */

void
gcr_lists_init(void)
{
    PyObject *last = PyList_New(0);
    if (last == NULL) {
        PyErr_Clear();
        layout = DIFFERENT;
        return;
    }
    PyGC_Head *head = gcr_list_next((PyGC_Head *)last - 1);
    youngest = (uintptr_t)head - (uintptr_t)PyInterpreterState_Get();
    layout = youngest < sizeof(PyInterpreterState) ? UNKNOWN : DIFFERENT;
    Py_DECREF(last);
}

typedef struct follower {
    PyGC_Head **heads;
    int list;
    PyGC_Head *next;
} follower;

/* Goes on to the next list at the end of one. */
static void
skip_heads(follower *f)
{
    while (f->list < GCR_LISTS && f->next == f->heads[f->list]) {
        f->list++;
        f->next = f->list < GCR_LISTS ? gcr_list_next(f->heads[f->list]) : NULL;
    }
}

/* Reads no link but those of objects that the visitor showed, and of the heads. */
static int
follow(PyObject *object, void *arg)
{
    follower *f = arg;
    skip_heads(f);
    if (f->next != (PyGC_Head *)object - 1) {
        return 0;
    }
    f->next = gcr_list_next(f->next);
    return 1;
}

int
gcr_list_heads(PyGC_Head *heads[GCR_LISTS])
{
    if (layout == DIFFERENT) {
        return 0;
    }
    struct gc_generation *first =
        (struct gc_generation *)((char *)PyThreadState_Get()->interp + youngest);
    for (int i = 0; i < GCR_LISTS; i++) {
        heads[i] = &first[i].head;
    }
    if (layout == UNKNOWN) {
        follower f = {heads, 0, gcr_list_next(heads[0])};
        PyUnstable_GC_VisitObjects(follow, &f);
        skip_heads(&f);
        layout = f.list == GCR_LISTS ? AS_EXPECTED : DIFFERENT;
    }
    return layout == AS_EXPECTED;
}

typedef struct heap_visit {
    gcr_object_visitor visit;
    void *arg;
    int result;
} heap_visit;

static int
visit_one(PyObject *object, void *arg)
{
    heap_visit *heap = arg;
    heap->result = heap->visit(object, heap->arg);
    return heap->result == 0;
}

static int
visit_all(gcr_object_visitor visit, void *arg)
{
    heap_visit heap = {visit, arg, 0};
    PyUnstable_GC_VisitObjects(visit_one, &heap);
    return heap.result;
}

#endif

int
gcr_heap(gcr_object_visitor visit, void *arg)
{
    PyGC_Head *heads[GCR_LISTS];
    if (!gcr_list_heads(heads)) {
        return visit_all(visit, arg);
    }
    for (int i = 0; i < GCR_LISTS; i++) {
        for (PyGC_Head *gc = gcr_list_next(heads[i]); gc != heads[i]; gc = gcr_list_next(gc)) {
            int result = visit((PyObject *)(gc + 1), arg);
            if (result != 0) {
                return result;
            }
        }
    }
    return 0;
}
