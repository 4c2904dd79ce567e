/* The full pass over the heap: which objects may refer to an old, and what else a
 * remap must know of each.
 *
 * The collector's lists are chains of loads of which each waits for the one before. They
 * are followed from both ends at once, which makes two chains; in a long list, on two
 * processors. Where these meet is known by address, as a list has no indices. */
#include "far_end.h"

gcr_nature
gcr_nature_of(PyObject *object)
{
    gcr_nature nature = nature_of_instances(Py_TYPE(object));
    if (nature == GCR_STORES_HASHES && !stores_hashes(object)) {
        return GCR_NOTHING_ELSE;
    }
    return nature;
}

typedef struct scan {
    gcr_scan_visitor visit;
    void *arg;
    size_t count; /* objects read */
    size_t told;  /* of these, with what was found of them */
    gcr_looker looker;
    gcr_segment segment; /* the one being read here */
} scan;

enum { LONG = 1 << 14 }; /* objects that are read before a second processor is asked for */

static inline void
tell(gcr_segment *segment, size_t at, seen seen, void *arg)
{
    scan *scan = arg;
    scan->told++;
    scan->visit(segment->objects[at], seen.nature, seen.hit, scan->arg);
}

/* Tells what was found of the first objects of a segment. */
static void
tell_found(scan *scan, gcr_segment *segment, size_t count)
{
    scan->count += count;
    for (size_t i = 0; i < segment->found_count && segment->found[i].at < count; i++) {
        const gcr_found *found = &segment->found[i];
        seen seen = {found->nature, found->hit, 0};
        if (found->is_left) {
            PyObject *object = segment->objects[found->at];
            seen = look(&scan->looker, object, shape_of(&scan->looker, Py_TYPE(object)));
        }
        if (is_something(seen)) {
            tell(segment, found->at, seen, scan);
        }
    }
}

static void
end_here(scan *scan)
{
    end_segment(&scan->looker, &scan->segment, tell, scan);
    scan->count += scan->segment.count;
    begin_segment(&scan->segment);
}

GCR_HOT void
take_here(scan *scan, PyObject *object)
{
    take(&scan->looker, &scan->segment, object, tell, scan);
    if (scan->segment.count == GCR_SEGMENT) {
        end_here(scan);
    }
}

/* Reads from `*front` and `*back` towards the middle, at most `limit` objects. Returns
 * whether there are more. */
static int
scan_both_ends(scan *scan, PyGC_Head **front, PyGC_Head **back, size_t limit)
{
    for (size_t i = 0; i < limit; i += 2) {
        take_here(scan, (PyObject *)(*front + 1));
        if (*front == *back) {
            return 0;
        }
        take_here(scan, (PyObject *)(*back + 1));
        *front = gcr_list_next(*front);
        if (*front == *back) {
            return 0;
        }
        *back = _PyGCHead_PREV(*back);
    }
    return 1;
}

/* How many of the objects of a segment come before `object`, or all. */
static size_t
index_of(const gcr_segment *segment, PyObject *object)
{
    size_t at = 0;
    while (at < segment->count && segment->objects[at] != object) {
        at++;
    }
    return at;
}

static PyObject *
last_of(const gcr_segment *segment)
{
    return segment->objects[segment->count - 1];
}

/* Reads from `front` on to where the other processor has come, or to `back`.
 *
 * What that has read begins with the last object of its newest segment, which is waited
 * for here. While a segment is read here it may read more, and come past this one: the
 * last object of one of its segments is in this one then, as no segment is longer. What
 * it reads beyond is read here, or was, and is not told again. */
static void
scan_to_far_end(scan *scan, PyGC_Head *front, PyGC_Head *back, gcr_far_end *far)
{
    gcr_segment *here = &scan->segment;
    PyGC_Head *end = gcr_list_next(back);
    PyObject *known = NULL;
    size_t told = 0;
    int is_done = 0;
    while (!is_done) {
        begin_segment(here);
        while (here->count < GCR_SEGMENT && !is_done) {
            PyObject *object = (PyObject *)(front + 1);
            is_done = front == end || object == known;
            if (!is_done) {
                take(&scan->looker, here, object, write_down, NULL);
                front = gcr_list_next(front);
            }
        }
        end_segment(&scan->looker, here, write_down, NULL);

        size_t from_here = here->count, first = told, read = gcr_far_end_count(far);
        for (size_t i = told; i < read && from_here == here->count; i++) {
            from_here = index_of(here, last_of(gcr_far_end_segment(far, i)));
            if (!is_done || from_here < here->count) {
                told = i + 1;
            }
        }
        is_done = is_done || from_here < here->count;
        tell_found(scan, here, from_here);
        for (size_t i = first; i < told; i++) {
            gcr_segment *there = gcr_far_end_segment(far, i);
            known = last_of(there);
            tell_found(scan, there, there->count);
        }
        gcr_far_end_release(far, told);
    }
    begin_segment(here);
}

static void
scan_list(scan *scan, PyGC_Head *head)
{
    PyGC_Head *front = gcr_list_next(head), *back = _PyGCHead_PREV(head);
    size_t told = scan->told;
    if (front == head || !scan_both_ends(scan, &front, &back, LONG)) {
        return;
    }
    end_here(scan);
    /* Where much is told, that is the work, and goes better with what has just been read. */
    int is_sparse = scan->told - told < LONG / 4;
    gcr_far_end *far =
        is_sparse ? gcr_far_end_begin(&scan->looker.sieve, front, back) : NULL;
    if (far == NULL) {
        scan_both_ends(scan, &front, &back, SIZE_MAX);
        return;
    }
    scan_to_far_end(scan, front, back, far);
    gcr_far_end_leave(far);
}

static int
take_visited(PyObject *object, void *arg)
{
    take_here(arg, object);
    return 0;
}

static void
scan_heap(scan *scan)
{
    PyGC_Head *heads[GCR_LISTS];
    if (!gcr_list_heads(heads)) {
        gcr_heap(take_visited, scan);
        return;
    }
    for (int i = 0; i < GCR_LISTS; i++) {
        scan_list(scan, heads[i]);
    }
}

size_t
gcr_scan(const gcr_sieve *sieve, gcr_scan_visitor visit, void *arg)
{
    scan scan = {.visit = visit,
                 .arg = arg,
                 .looker = {.sieve = *sieve, .has_thread_state = 1}};
    scan_heap(&scan);
    end_here(&scan);
    return scan.count;
}
