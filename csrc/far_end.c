/* A second processor reads the collector's longest list from its far end.
 *
 * The thread exists for the length of a pass. It reads what the pass reads, while the
 * caller keeps the GIL; it has no thread state, writes to nothing but its own memory, and
 * calls neither malloc (which would make it an arena) nor Python. */
#define _GNU_SOURCE
#include "far_end.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum {
    SEGMENTS = 8, /* read, and not yet released */
    STACK = 256 << 10,
    PAUSE = 20000, /* nanoseconds */
};

struct gcr_far_end {
    pthread_t thread;
    atomic_size_t read;     /* segments; written by the thread alone */
    atomic_size_t released; /* of these; written by the caller alone */
    atomic_bool is_over;
    PyGC_Head *at, *before_first;
    gcr_looker looker;
    gcr_segment segments[SEGMENTS];
};

static int
wait_for_room(gcr_far_end *far, size_t read)
{
    while (!atomic_load_explicit(&far->is_over, memory_order_relaxed)) {
        if (read - atomic_load_explicit(&far->released, memory_order_acquire) < SEGMENTS) {
            return 1;
        }
        nanosleep(&(struct timespec){.tv_nsec = PAUSE}, NULL);
    }
    return 0;
}

static void *
read_backwards(void *arg)
{
    gcr_far_end *far = arg;
    PyGC_Head *at = far->at;
    for (size_t read = 0; at != far->before_first && wait_for_room(far, read);) {
        gcr_segment *segment = &far->segments[read % SEGMENTS];
        begin_segment(segment);
        for (; segment->count < GCR_SEGMENT && at != far->before_first;
             at = _PyGCHead_PREV(at)) {
            take(&far->looker, segment, (PyObject *)(at + 1), write_down, NULL);
        }
        end_segment(&far->looker, segment, write_down, NULL);
        atomic_store_explicit(&far->read, ++read, memory_order_release);
    }
    return NULL;
}

static int
has_second_processor(void)
{
    cpu_set_t processors;
    return sched_getaffinity(0, sizeof(processors), &processors) == 0
           && CPU_COUNT(&processors) > 1;
}

/* No signal is handled there. */
static int
start(gcr_far_end *far)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0) {
        return 0;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int started = pthread_attr_setstacksize(&attributes, STACK) == 0
                  && pthread_create(&far->thread, &attributes, read_backwards, far) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return started;
}

gcr_far_end *
gcr_far_end_begin(const gcr_sieve *sieve, PyGC_Head *first, PyGC_Head *last)
{
    gcr_far_end *far = has_second_processor() ? calloc(1, sizeof(*far)) : NULL;
    if (far == NULL) {
        return NULL;
    }
    far->looker.sieve = *sieve;
    far->at = last;
    far->before_first = _PyGCHead_PREV(first);
    if (!start(far)) {
        free(far);
        return NULL;
    }
    return far;
}

size_t
gcr_far_end_count(const gcr_far_end *far)
{
    return atomic_load_explicit(&far->read, memory_order_acquire);
}

gcr_segment *
gcr_far_end_segment(gcr_far_end *far, size_t index)
{
    return &far->segments[index % SEGMENTS];
}

void
gcr_far_end_release(gcr_far_end *far, size_t count)
{
    atomic_store_explicit(&far->released, count, memory_order_release);
}

void
gcr_far_end_leave(gcr_far_end *far)
{
    atomic_store_explicit(&far->is_over, 1, memory_order_relaxed);
    pthread_join(far->thread, NULL);
    free(far);
}
