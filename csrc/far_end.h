/* A second processor reads the collector's longest list from its far end. */
#ifndef GCREMAP_FAR_END_H
#define GCREMAP_FAR_END_H

#include "gc_lists.h"
#include "look.h"

typedef struct gcr_far_end gcr_far_end;

/* Begins to read backwards from `last` to `first`. NULL where there is no second processor
 * to be had, or no memory. Needs the GIL, as all that is read must stay as it is until
 * gcr_far_end_leave. */
gcr_far_end *gcr_far_end_begin(const gcr_sieve *sieve, PyGC_Head *first, PyGC_Head *last);

/* The segments that have been read since, next to each other and the farthest first;
 * `count` says how many. They stay until gcr_far_end_release. */
size_t gcr_far_end_count(const gcr_far_end *far);
gcr_segment *gcr_far_end_segment(gcr_far_end *far, size_t index);
void gcr_far_end_release(gcr_far_end *far, size_t count);

void gcr_far_end_leave(gcr_far_end *far);

#endif
