/* The collector's lists: what is tracked, in the order in which it came there. */
#ifndef GCREMAP_GC_LISTS_H
#define GCREMAP_GC_LISTS_H

#include "compat.h"

enum { GCR_LISTS = NUM_GENERATIONS + 1 };

/* The heads of all lists, with that of what gc.freeze has put aside. Returns 0 where they
 * are not known, and gcr_heap must do. */
int gcr_list_heads(PyGC_Head *heads[GCR_LISTS]);

/* The collectors of some versions keep a flag in the word. */
static inline PyGC_Head *
gcr_list_next(PyGC_Head *gc)
{
    return (PyGC_Head *)(gc->_gc_next & ~(uintptr_t)3);
}

#endif
