/* What hierarchy.c and hierarchy_tables.c share. */
#ifndef GCR_HIERARCHY_H
#define GCR_HIERARCHY_H

#include "types_internal.h"

typedef struct changed_class {
    PyTypeObject *type;
    PyObject *bases;    /* future; NULL if they stay */
    PyTypeObject *base; /* future; NULL if it stays */
    PyObject *mro;      /* future; NULL while not yet computed */
    int in_progress;
} changed_class;

typedef struct changed_table {
    PyTypeObject *type;
    PyObject *subclasses; /* future; NULL if empty */
} changed_table;

struct gcr_hierarchy {
    const gcr_rebase *rebase; /* only during prepare */
    changed_class *classes;
    size_t class_count, class_room;
    changed_table *tables;
    size_t table_count;
    const char *refusal;
    PyObject *culprit;
};

static const char no_memory[] = "no memory to work out the new class hierarchy";

static inline int
refuse(gcr_hierarchy *h, PyTypeObject *culprit, const char *why)
{
    PyErr_Clear();
    h->refusal = why;
    h->culprit = (PyObject *)culprit;
    return -1;
}

/* The future tables of direct subclasses, from the future bases; 0, or -1 with a refusal. */
int gcr_hierarchy_plan_tables(gcr_hierarchy *h);

#endif
