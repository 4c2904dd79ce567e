/* Which addresses stand on the C stack of any thread, or uncounted in a frame: C
 * code up the stack may hold a pointer without owning a reference to the object.
 *
 * Known limits. A pointer that is only in a callee-saved register of a thread
 * blocked in a system call is not seen (the kernel has it), nor are stacks
 * that a coroutine library has copied away or switched out of: greenlet keeps
 * the suspended part of a C stack in heap memory. */
#define _GNU_SOURCE 1
#include "compat.h"


#include <string.h>

/* Words compared are cut down to the alignment of objects, because tagged
 * pointers (stack references, list links) use the bits below it. */
#define TAG_BITS ((uintptr_t)7)

#ifdef __linux__

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

typedef struct targets {
    uintptr_t low;
    uintptr_t high;
    uintptr_t base;
    uintptr_t ceiling;
    gcr_word_visitor visit;
    void *arg;
} targets;

typedef struct range {
    uintptr_t start;
    uintptr_t end;
} range;

typedef struct mappings {
    range *ranges; /* readable and writable, ascending; malloc'ed */
    size_t count;
    range main_stack;
} mappings;

/* ---- looking at words ---------------------------------------------------- */

static void
look_up(const targets *t, uintptr_t word)
{
    word &= ~TAG_BITS;
    if (word >= t->low && word <= t->high) {
        t->visit(word, t->arg);
    }
}

/* Copies our own memory by way of the kernel, since another thread can end,
 * and its stack be unmapped, at any time. Returns the number of bytes copied,
 * 0 where nothing is mapped, -1 if the kernel grants neither way to do it. */
static ssize_t
copy_memory(void *to, uintptr_t from, size_t size)
{
    struct iovec local = {to, size}, remote = {(void *)from, size};
    ssize_t copied = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
    if (copied >= 0 || errno == EFAULT) {
        return copied < 0 ? 0 : copied;
    }
    int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    copied = pread(fd, to, size, (off_t)from);
    int nothing_there = copied < 0 && errno == EIO;
    close(fd);
    return nothing_there ? 0 : copied;
}

/* Returns 0 if the range could not be looked at. */
static int
scan(const targets *t, uintptr_t start, uintptr_t end)
{
    uintptr_t words[1024];
    start &= ~(uintptr_t)(sizeof(uintptr_t) - 1);
    while (start < end) {
        size_t size = end - start < sizeof words ? end - start : sizeof words;
        ssize_t copied = copy_memory(words, start, size);
        if (copied < 0) {
            return 0;
        }
        if (copied < (ssize_t)sizeof(uintptr_t)) {
            return 1; /* unmapped from here on */
        }
        size_t n = (size_t)copied / sizeof(uintptr_t);
        for (size_t i = 0; i < n; i++) {
            look_up(t, words[i]);
        }
        start += n * sizeof(uintptr_t);
    }
    return 1;
}

/* ---- where the stacks are ------------------------------------------------- */

static int
read_mappings(mappings *maps)
{
    FILE *file = fopen("/proc/self/maps", "re");
    if (file == NULL) {
        return 0;
    }
    size_t room = 0;
    int complete = 1;
    char *line = NULL;
    size_t line_room = 0;
    while (getline(&line, &line_room, file) > 0) {
        unsigned long start, end;
        char permissions[5];
        if (sscanf(line, "%lx-%lx %4s", &start, &end, permissions) != 3) {
            complete = 0;
            break;
        }
        if (permissions[0] != 'r' || permissions[1] != 'w') {
            continue;
        }
        if (maps->count == room) {
            room = room ? 2 * room : 256;
            range *more = realloc(maps->ranges, room * sizeof *more);
            if (more == NULL) {
                complete = 0;
                break;
            }
            maps->ranges = more;
        }
        maps->ranges[maps->count++] = (range){start, end};
        if (strstr(line, "[stack]") != NULL) {
            maps->main_stack = (range){start, end};
        }
    }
    free(line);
    fclose(file);
    return complete;
}

static range
mapping_of(const mappings *maps, uintptr_t address)
{
    for (size_t i = 0; i < maps->count; i++) {
        if (maps->ranges[i].start <= address && address < maps->ranges[i].end) {
            return maps->ranges[i];
        }
    }
    return (range){0, 0};
}

/* The mapping that holds the stack a thread was started with, if the thread is
 * one of Python's: the C library puts the descriptor, which pthread_self()
 * points to, at the end of the stack. {0, 0} if unknown. */
static range
native_stack(const mappings *maps, pid_t tid)
{
    if (tid == getpid()) {
        return maps->main_stack;
    }
    for (PyInterpreterState *interp = PyInterpreterState_Head(); interp != NULL;
         interp = PyInterpreterState_Next(interp)) {
        for (PyThreadState *ts = PyInterpreterState_ThreadHead(interp); ts != NULL;
             ts = PyThreadState_Next(ts)) {
            if (ts->native_thread_id == (unsigned long)tid) {
                return mapping_of(maps, (uintptr_t)ts->thread_id);
            }
        }
    }
    return (range){0, 0};
}

/* The stack pointer of a thread that is blocked in a system call; 0 if it is
 * running, or the kernel does not tell. */
static uintptr_t
stack_pointer(pid_t tid)
{
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/self/task/%ld/syscall", (long)tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0) {
        return 0;
    }
    text[size] = '\0';
    /* "running", "-1 SP PC" or "number arg1 .. arg6 SP PC" */
    char *last = strrchr(text, ' ');
    if (last == NULL) {
        return 0;
    }
    *last = '\0';
    char *before = strrchr(text, ' ');
    return before == NULL ? 0 : (uintptr_t)strtoull(before + 1, NULL, 16);
}

/* ---- threads ---------------------------------------------------------------- */

/* So much below a stack pointer may be in use: the red zone of leaf functions
 * (128 bytes on x86-64, at most 512 elsewhere), and in our own thread, whose
 * frame address stands for the stack pointer, the registers just saved. */
#define RED_ZONE 512

/* Where a thread stands; what is not known of that is 0. */
typedef struct standing {
    range native;  /* the stack that it was started with */
    range current; /* what `sp` points into */
    uintptr_t sp;
} standing;

/* Returns 0 if what it needs to know is not known. */
typedef int (*thread_visitor)(standing thread, void *arg);

static int
scan_thread(standing thread, void *arg)
{
    const targets *t = arg;
    range native = thread.native, current = thread.current;
    if (current.end == 0) {
        return native.end != 0 && scan(t, native.start, native.end);
    }
    uintptr_t low =
        thread.sp - current.start > RED_ZONE ? thread.sp - RED_ZONE : current.start;
    int has_ceiling =
        thread.sp == t->base && t->ceiling > thread.sp && t->ceiling < current.end;
    /* The registers that the frame at the ceiling has saved are its callers'. */
    if (!scan(t, low, has_ceiling ? t->ceiling - RED_ZONE : current.end)) {
        return 0;
    }
    /* On an alternative stack (a signal handler's, a coroutine library's), the
     * native one still has callers on it. */
    if (native.end != 0 && native.start != current.start) {
        return scan(t, native.start, native.end);
    }
    return 1;
}

/* `own_sp` is that of the calling thread. */
static int
each_thread(thread_visitor visit, uintptr_t own_sp, void *arg)
{
    mappings maps = {0};
    DIR *tasks = opendir("/proc/self/task");
    int complete = tasks != NULL && read_mappings(&maps);
    pid_t own = (pid_t)syscall(SYS_gettid);
    struct dirent *entry;
    while (complete && (entry = readdir(tasks)) != NULL) {
        pid_t tid = (pid_t)atol(entry->d_name);
        if (tid > 0) {
            uintptr_t sp = tid == own ? own_sp : stack_pointer(tid);
            range current = sp ? mapping_of(&maps, sp) : (range){0, 0};
            complete = visit((standing){native_stack(&maps, tid), current, sp}, arg);
        }
    }
    if (tasks != NULL) {
        closedir(tasks);
    }
    free(maps.ranges);
    return complete;
}

typedef struct places {
    gcr_word_visitor visit;
    void *arg;
} places;

static int
show_stack(standing thread, void *arg)
{
    const places *places = arg;
    if (thread.native.end != 0) {
        places->visit(thread.native.start, places->arg);
    }
    if (thread.current.end != 0) {
        places->visit(thread.current.start, places->arg);
    }
    return thread.native.end != 0 || thread.current.end != 0;
}

int
gcr_stacks(gcr_word_visitor visit, void *arg)
{
    places places = {visit, arg};
    return each_thread(show_stack, (uintptr_t)__builtin_frame_address(0), &places);
}

/* ---- frames ------------------------------------------------------------------ */

#if GCR_PY314
/* A word of a frame may be borrowed from a caller's local since 3.14, so it keeps
 * nothing alive; C code reads its arguments from such words. */
static void
scan_frames(const targets *t)
{
    PyInterpreterState *interp = PyThreadState_Get()->interp;
    for (PyThreadState *ts = PyInterpreterState_ThreadHead(interp); ts != NULL;
         ts = PyThreadState_Next(ts)) {
        for (gcr_frame *f = gcr_thread_frame(ts); f != NULL; f = f->previous) {
            if (gcr_frame_is_shim(f)) {
                continue;
            }
            PyCodeObject *code = gcr_frame_code(f);
            int words = code->co_nlocalsplus + code->co_stacksize;
            for (int i = 0; i < words; i++) {
                uintptr_t word = (uintptr_t)f->localsplus[i].bits;
                if (word & 1) {
                    look_up(t, word);
                }
            }
        }
    }
}
#else
static void
scan_frames(const targets *t)
{
    (void)t; /* every word of a frame owns its reference */
}
#endif

/* How much of the stack a remap uses at least: the words of `scan` alone are half of it. */
#define LEFT_OVER (16 * 1024)

/* Frames that are yet to come leave much of themselves unwritten: what a remap left
 * there would look like a use of its olds for as long as they last. */
static __attribute__((noinline)) void
wipe_left_over(void)
{
    char words[LEFT_OVER];
    memset(words, 0, sizeof words);
    __asm__ volatile("" : : "r"(words) : "memory"); /* or the compiler leaves it out */
}

PyObject *
gcr_call_with_base(PyObject *(*body)(void *arg, uintptr_t base), void *arg)
{
    /* Room between our callers' words and the body's, wiped of what earlier
     * calls left there. */
    volatile char room[2 * RED_ZONE];
    for (size_t i = 0; i < sizeof room; i++) {
        room[i] = 0;
    }
    /* Puts the callee-saved registers next to the frame address (setjmp would
     * not do: the C library mangles some of what it saves). */
    __builtin_unwind_init();
    PyObject *result = body(arg, (uintptr_t)__builtin_frame_address(0));
    wipe_left_over();
    /* Used after the call, so that the call is no jump. */
    return room[0] == 0 ? result : NULL;
}

int
gcr_stack_words(uintptr_t low, uintptr_t high, uintptr_t base, uintptr_t ceiling,
                gcr_word_visitor visit, void *arg)
{
    targets t = {low, high, base, ceiling, visit, arg};
    scan_frames(&t);
    return each_thread(scan_thread, base, &t);
}

#else

/* Where the stacks of other threads are is not known here. */
int
gcr_stacks(gcr_word_visitor visit, void *arg)
{
    (void)visit;
    (void)arg;
    return 0;
}

PyObject *
gcr_call_with_base(PyObject *(*body)(void *arg, uintptr_t base), void *arg)
{
    return body(arg, 0);
}

int
gcr_stack_words(uintptr_t low, uintptr_t high, uintptr_t base, uintptr_t ceiling,
                gcr_word_visitor visit, void *arg)
{
    (void)low;
    (void)high;
    (void)base;
    (void)ceiling;
    (void)visit;
    (void)arg;
    return 0;
}

#endif
