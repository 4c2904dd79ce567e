/* Where the handlers of signals are. The process has one table, which the main
 * interpreter owns. */
#include "compat_state.h"

#include "roots.h"

#if GCR_PY312

PyObject **
gcr_signal_handler(int number)
{
    return (PyObject **)&_PyRuntime.signals.handlers[number].func;
}

void
gcr_signals_init(void)
{
}

#else

/* 3.12 moved the table to the runtime state (gh-99127). Before, it is a static
 * variable that nothing exports (Modules/signalmodule.c, Handlers), and is found by
 * what is in it: for each signal what signal.getsignal says. */
#  include <elf.h>
#  include <link.h>

typedef struct handler {
    int tripped;
    PyObject *func;
} handler;

static handler *handlers;

typedef struct table_search {
    PyObject *expected[Py_NSIG]; /* NULL for what C code handles, or has not set */
    uintptr_t code;              /* somewhere in the image that has the table */
    handler *found;
    int count;
} table_search;

static int
is_table(const handler *candidate, const table_search *search)
{
    for (int i = 0; i < Py_NSIG; i++) {
        PyObject *func = candidate[i].func == Py_None ? NULL : candidate[i].func;
        if (func != search->expected[i]) {
            return 0;
        }
    }
    return 1;
}

static int
search_image(struct dl_phdr_info *image, size_t size, void *arg)
{
    (void)size;
    table_search *search = arg;
    int is_ours = 0;
    for (int i = 0; i < image->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &image->dlpi_phdr[i];
        uintptr_t start = image->dlpi_addr + segment->p_vaddr;
        is_ours |= segment->p_type == PT_LOAD && search->code - start < segment->p_memsz;
    }
    for (int i = 0; is_ours && i < image->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &image->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_W)) {
            continue;
        }
        uintptr_t at = (image->dlpi_addr + segment->p_vaddr + 7) & ~(uintptr_t)7;
        uintptr_t end = image->dlpi_addr + segment->p_vaddr + segment->p_memsz;
        for (; at + Py_NSIG * sizeof(handler) <= end; at += sizeof(void *)) {
            if (is_table((handler *)at, search)) {
                search->found = (handler *)at;
                search->count++;
            }
        }
    }
    return is_ours;
}

void
gcr_signals_init(void)
{
    table_search search = {.code = (uintptr_t)&PyErr_CheckSignals};
    PyObject *module = PyImport_ImportModule("_signal");
    int known = 0;
    for (int i = 1; module != NULL && i < Py_NSIG; i++) {
        PyObject *func = PyObject_CallMethod(module, "getsignal", "i", i);
        if (func == NULL) {
            break;
        }
        /* The table keeps it. */
        Py_DECREF(func);
        search.expected[i] = func == Py_None ? NULL : func;
        known += func != Py_None;
    }
    Py_XDECREF(module);
    PyErr_Clear();
    if (known > Py_NSIG / 2) {
        dl_iterate_phdr(search_image, &search);
    }
    handlers = search.count == 1 ? search.found : NULL;
}

PyObject **
gcr_signal_handler(int number)
{
    return handlers == NULL ? NULL : &handlers[number].func;
}

#endif
