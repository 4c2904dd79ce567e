/* Holders written by hand against the public C API, one shape of memory each.
 *
 * tests/test_extensions.py asks gcremap to rewrite what they hold, knowing
 * nothing of these layouts.  Every type gives back each of its references
 * through an accessor, so a test sees what the memory holds, not what the
 * traversal shows. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* With the headers of patches/, Py_VISIT is for fields. */
#ifndef Py_VISIT_VALUE
#  define Py_VISIT_VALUE(op) Py_VISIT(op)
#endif

#define NEW(TYPE) ((TYPE *)type->tp_alloc(type, 0))
#define SELF(TYPE) ((TYPE *)self)

/* What every tp_dealloc below ends with: the types are heap types, and each
 * instance owns a reference to its own. */
static void
free_instance(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *
or_none(PyObject *ref)
{
    return Py_NewRef(ref ? ref : Py_None);
}

/* ---- Fields: two references and words that only look like one ------------ */

typedef struct {
    PyObject_HEAD
    PyObject *first;
    uintptr_t id;      /* decoy: equals the address of first, and is a number */
    PyObject *second;
    PyObject *borrowed; /* the same pointer as first, not counted, not shown */
} Fields;

static PyObject *
fields_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
    PyObject *first, *second;
    if (!PyArg_ParseTuple(args, "OO:Fields", &first, &second))
        return NULL;
    Fields *self = NEW(Fields);
    if (self == NULL)
        return NULL;
    self->first = Py_NewRef(first);
    self->second = Py_NewRef(second);
    self->id = (uintptr_t)first;
    self->borrowed = first;
    return (PyObject *)self;
}

static int
fields_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(SELF(Fields)->first);
    Py_VISIT(SELF(Fields)->second);
    return 0;
}

static int
fields_clear(PyObject *self)
{
    Py_CLEAR(SELF(Fields)->first);
    Py_CLEAR(SELF(Fields)->second);
    return 0;
}

static PyObject *
fields_borrowed_id(PyObject *self, void *closure)
{
    return PyLong_FromVoidPtr(SELF(Fields)->borrowed);
}

static PyObject *
fields_id(PyObject *self, void *closure)
{
    return PyLong_FromVoidPtr((void *)SELF(Fields)->id);
}

static PyMemberDef fields_members[] = {
    {"first", T_OBJECT, offsetof(Fields, first), READONLY, NULL},
    {"second", T_OBJECT, offsetof(Fields, second), READONLY, NULL},
    {NULL},
};

static PyGetSetDef fields_getset[] = {
    {"id", fields_id, NULL, NULL, NULL},
    {"borrowed_id", fields_borrowed_id, NULL, NULL, NULL},
    {NULL},
};

/* ---- Array: references in one block of malloc ----------------------------- */

typedef struct {
    PyObject_HEAD
    Py_ssize_t len;
    PyObject **items;
} Array;

static PyObject *
array_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
    PyObject *iterable;
    if (!PyArg_ParseTuple(args, "O:Array", &iterable))
        return NULL;
    PyObject *fast = PySequence_Tuple(iterable);
    if (fast == NULL)
        return NULL;
    Array *self = NEW(Array);
    if (self == NULL) {
        Py_DECREF(fast);
        return NULL;
    }
    Py_ssize_t len = PyTuple_GET_SIZE(fast);
    self->items = calloc(len ? (size_t)len : 1, sizeof *self->items);
    if (self->items == NULL) {
        Py_DECREF(fast);
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    for (; self->len < len; self->len++)
        self->items[self->len] = Py_NewRef(PyTuple_GET_ITEM(fast, self->len));
    Py_DECREF(fast);
    return (PyObject *)self;
}

static int
array_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    for (Py_ssize_t i = 0; i < SELF(Array)->len; i++)
        Py_VISIT(SELF(Array)->items[i]);
    return 0;
}

static int
array_clear(PyObject *self)
{
    Py_ssize_t len = SELF(Array)->len;
    SELF(Array)->len = 0;
    for (Py_ssize_t i = 0; i < len; i++)
        Py_CLEAR(SELF(Array)->items[i]);
    return 0;
}

static void
array_dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    array_clear(self);
    free(SELF(Array)->items);
    free_instance(self);
}

static PyObject *
array_items(PyObject *self, PyObject *unused)
{
    PyObject *list = PyList_New(SELF(Array)->len);
    if (list == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < SELF(Array)->len; i++)
        PyList_SET_ITEM(list, i, or_none(SELF(Array)->items[i]));
    return list;
}

/* ---- Linked: blocks of sixteen, each pointing to the next ------------------- */

enum { BLOCK = 16 };

typedef struct Block {
    struct Block *next;
    PyObject *items[BLOCK];
} Block;

typedef struct {
    PyObject_HEAD
    Block *head;
} Linked;

static int
linked_clear(PyObject *self)
{
    for (Block *block; (block = SELF(Linked)->head) != NULL; free(block)) {
        SELF(Linked)->head = block->next;
        for (int i = 0; i < BLOCK; i++)
            Py_CLEAR(block->items[i]);
    }
    return 0;
}

static PyObject *
linked_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
    PyObject *iterable;
    if (!PyArg_ParseTuple(args, "O:Linked", &iterable))
        return NULL;
    PyObject *fast = PySequence_Tuple(iterable);
    if (fast == NULL)
        return NULL;
    Linked *self = NEW(Linked);
    if (self == NULL) {
        Py_DECREF(fast);
        return NULL;
    }
    Block **end = &self->head;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(fast); i++) {
        if (i && i % BLOCK == 0)
            end = &(*end)->next;
        if (*end == NULL && (*end = calloc(1, sizeof **end)) == NULL) {
            Py_DECREF(fast);
            Py_DECREF(self);
            return PyErr_NoMemory();
        }
        (*end)->items[i % BLOCK] = Py_NewRef(PyTuple_GET_ITEM(fast, i));
    }
    Py_DECREF(fast);
    return (PyObject *)self;
}

static int
linked_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    for (Block *block = SELF(Linked)->head; block; block = block->next)
        for (int i = 0; i < BLOCK; i++)
            Py_VISIT(block->items[i]);
    return 0;
}

static void
linked_dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    linked_clear(self);
    free_instance(self);
}

static PyObject *
linked_items(PyObject *self, PyObject *unused)
{
    PyObject *list = PyList_New(0);
    for (Block *block = SELF(Linked)->head; list && block; block = block->next)
        for (int i = 0; list && i < BLOCK; i++)
            if (block->items[i] && PyList_Append(list, block->items[i]) < 0)
                Py_CLEAR(list);
    return list;
}

/* ---- Tagged: the low bit of each word is the holder's flag -------------------- */

typedef struct {
    PyObject_HEAD
    uintptr_t words[4];
} Tagged;

#define UNTAG(word) ((PyObject *)((word) & ~(uintptr_t)1))

static PyObject *
tagged_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
    PyObject *refs[4] = {NULL};
    int flags[4] = {0};
    if (!PyArg_ParseTuple(args, "(Op)(Op)(Op)(Op):Tagged", &refs[0], &flags[0], &refs[1],
                          &flags[1], &refs[2], &flags[2], &refs[3], &flags[3]))
        return NULL;
    Tagged *self = NEW(Tagged);
    if (self == NULL)
        return NULL;
    for (int i = 0; i < 4; i++)
        self->words[i] = (uintptr_t)Py_NewRef(refs[i]) | (flags[i] ? 1 : 0);
    return (PyObject *)self;
}

static int
tagged_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    for (int i = 0; i < 4; i++)
        Py_VISIT_VALUE(UNTAG(SELF(Tagged)->words[i]));
    return 0;
}

static int
tagged_clear(PyObject *self)
{
    for (int i = 0; i < 4; i++) {
        PyObject *ref = UNTAG(SELF(Tagged)->words[i]);
        SELF(Tagged)->words[i] = 0;
        Py_XDECREF(ref);
    }
    return 0;
}

static PyObject *
tagged_items(PyObject *self, PyObject *unused)
{
    PyObject *list = PyList_New(4);
    if (list == NULL)
        return NULL;
    for (int i = 0; i < 4; i++) {
        uintptr_t word = SELF(Tagged)->words[i];
        PyObject *ref = UNTAG(word) ? UNTAG(word) : Py_None;
        PyObject *pair = Py_BuildValue("(OO)", ref, word & 1 ? Py_True : Py_False);
        if (pair == NULL) {
            Py_DECREF(list);
            return NULL;
        }
        PyList_SET_ITEM(list, i, pair);
    }
    return list;
}

/* ---- Curious: a traversal that looks inside what it visits ---------------------- */

typedef struct {
    PyObject_HEAD
    PyObject *items[3];
} Curious;

static PyObject *
curious_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
    PyObject *a, *b, *c;
    if (!PyArg_ParseTuple(args, "OOO:Curious", &a, &b, &c))
        return NULL;
    Curious *self = NEW(Curious);
    if (self == NULL)
        return NULL;
    self->items[0] = Py_NewRef(a);
    self->items[1] = Py_NewRef(b);
    self->items[2] = Py_NewRef(c);
    return (PyObject *)self;
}

static int
seen_as_gc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    return PyType_IS_GC(type) && (type->tp_is_gc == NULL || type->tp_is_gc(op));
}

static int
curious_traverse(PyObject *self, visitproc visit, void *arg)
{
    PyObject **items = SELF(Curious)->items;
    Py_VISIT(Py_TYPE(self));
    /* Its type's name, what its type's tp_is_gc says and its own size: what a
     * traversal finds behind a word must be a whole object. */
    if (items[0] && strlen(Py_TYPE(items[0])->tp_name) > 0)
        Py_VISIT(items[0]);
    if (items[1] && PyObject_IS_GC(items[1]) == seen_as_gc(items[1]))
        Py_VISIT(items[1]);
    if (items[2] && (!PyList_Check(items[2]) || PyList_GET_SIZE(items[2]) >= 0))
        Py_VISIT(items[2]);
    return 0;
}

static int
curious_clear(PyObject *self)
{
    for (int i = 0; i < 3; i++)
        Py_CLEAR(SELF(Curious)->items[i]);
    return 0;
}

static PyObject *
curious_items(PyObject *self, PyObject *unused)
{
    PyObject **items = SELF(Curious)->items;
    return Py_BuildValue("[NNN]", or_none(items[0]), or_none(items[1]), or_none(items[2]));
}

/* ---- Thrice: one object in three words, two of them next to each other ---------- */

typedef struct {
    PyObject_HEAD
    PyObject *pair[2];
    double gap;
    PyObject **boxed; /* one word in a block of its own */
} Thrice;

static PyObject *
thrice_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
    PyObject *ref;
    if (!PyArg_ParseTuple(args, "O:Thrice", &ref))
        return NULL;
    Thrice *self = NEW(Thrice);
    if (self == NULL)
        return NULL;
    if ((self->boxed = malloc(sizeof *self->boxed)) == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    self->pair[0] = Py_NewRef(ref);
    self->pair[1] = Py_NewRef(ref);
    *self->boxed = Py_NewRef(ref);
    self->gap = 0.1;
    return (PyObject *)self;
}

static int
thrice_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(SELF(Thrice)->pair[0]);
    Py_VISIT(SELF(Thrice)->pair[1]);
    if (SELF(Thrice)->boxed)
        Py_VISIT(*SELF(Thrice)->boxed);
    return 0;
}

static int
thrice_clear(PyObject *self)
{
    Py_CLEAR(SELF(Thrice)->pair[0]);
    Py_CLEAR(SELF(Thrice)->pair[1]);
    if (SELF(Thrice)->boxed)
        Py_CLEAR(*SELF(Thrice)->boxed);
    return 0;
}

static void
thrice_dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    thrice_clear(self);
    free(SELF(Thrice)->boxed);
    free_instance(self);
}

static PyObject *
thrice_items(PyObject *self, PyObject *unused)
{
    Thrice *it = SELF(Thrice);
    return Py_BuildValue("[NNN]", or_none(it->pair[0]), or_none(it->pair[1]),
                         or_none(it->boxed ? *it->boxed : NULL));
}

/* ---- Secret: a reference the traversal does not show ------------------------------ */

typedef struct {
    PyObject_HEAD
    PyObject *shown;
    PyObject *hidden;
} Secret;

static PyObject *
secret_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
    PyObject *shown, *hidden;
    if (!PyArg_ParseTuple(args, "OO:Secret", &shown, &hidden))
        return NULL;
    Secret *self = NEW(Secret);
    if (self == NULL)
        return NULL;
    self->shown = Py_NewRef(shown);
    self->hidden = Py_NewRef(hidden);
    return (PyObject *)self;
}

static int
secret_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(SELF(Secret)->shown);
    return 0;
}

static int
secret_clear(PyObject *self)
{
    Py_CLEAR(SELF(Secret)->shown);
    return 0;
}

static void
secret_dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    Py_CLEAR(SELF(Secret)->shown);
    Py_CLEAR(SELF(Secret)->hidden);
    free_instance(self);
}

static PyMemberDef secret_members[] = {
    {"shown", T_OBJECT, offsetof(Secret, shown), READONLY, NULL},
    {"hidden", T_OBJECT, offsetof(Secret, hidden), READONLY, NULL},
    {NULL},
};

/* ---- Plain: no garbage collection, so no traversal -------------------------------- */

typedef struct {
    PyObject_HEAD
    PyObject *item;
} Plain;

static PyObject *
plain_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
    PyObject *item;
    if (!PyArg_ParseTuple(args, "O:Plain", &item))
        return NULL;
    Plain *self = NEW(Plain);
    if (self != NULL)
        self->item = Py_NewRef(item);
    return (PyObject *)self;
}

static void
plain_dealloc(PyObject *self)
{
    Py_CLEAR(SELF(Plain)->item);
    free_instance(self);
}

static PyMemberDef plain_members[] = {
    {"item", T_OBJECT, offsetof(Plain, item), READONLY, NULL},
    {NULL},
};

/* ---- Picky: a traversal that shows an item only while its type is the usual one ----- */

typedef struct {
    PyObject_HEAD
    PyObject *item;
    PyTypeObject *usual; /* borrowed: Py_TYPE(item) at the start, which item keeps alive */
} Picky;

static PyObject *
picky_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
    PyObject *item;
    if (!PyArg_ParseTuple(args, "O:Picky", &item))
        return NULL;
    Picky *self = NEW(Picky);
    if (self == NULL)
        return NULL;
    self->item = Py_NewRef(item);
    self->usual = Py_TYPE(item);
    return (PyObject *)self;
}

static int
picky_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    if (SELF(Picky)->item && Py_TYPE(SELF(Picky)->item) == SELF(Picky)->usual)
        Py_VISIT(SELF(Picky)->item);
    return 0;
}

static int
picky_clear(PyObject *self)
{
    Py_CLEAR(SELF(Picky)->item);
    return 0;
}

static PyMemberDef picky_members[] = {
    {"item", T_OBJECT, offsetof(Picky, item), READONLY, NULL},
    {NULL},
};

/* ---- Titled: a key's state that Python code may read and not set ------------------- */

typedef struct {
    PyObject_HEAD
    PyObject *name;
    PyObject *seal;
} Titled;

static int
titled_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(SELF(Titled)->name);
    Py_VISIT(SELF(Titled)->seal);
    return 0;
}

static int
titled_clear(PyObject *self)
{
    Py_CLEAR(SELF(Titled)->name);
    Py_CLEAR(SELF(Titled)->seal);
    return 0;
}

static PyObject *
titled_close(PyObject *self, PyObject *seal)
{
    Py_XSETREF(SELF(Titled)->seal, Py_NewRef(seal));
    Py_RETURN_NONE;
}

static PyMemberDef titled_members[] = {
    {"name", T_OBJECT_EX, offsetof(Titled, name), 0, NULL},
    {"title", T_OBJECT_EX, offsetof(Titled, name), READONLY, NULL},
    {"seal", T_OBJECT_EX, offsetof(Titled, seal), READONLY, NULL},
    {NULL},
};

static PyMethodDef titled_methods[] = {
    {"close", titled_close, METH_O, "Set the seal."},
    {NULL},
};

/* ---- The module ------------------------------------------------------------------- */

#define DEALLOC(NAME)                                                                    \
    static void NAME##_dealloc(PyObject *self)                                           \
    {                                                                                    \
        PyObject_GC_UnTrack(self);                                                       \
        NAME##_clear(self);                                                              \
        free_instance(self);                                                             \
    }

DEALLOC(fields)
DEALLOC(tagged)
DEALLOC(curious)
DEALLOC(picky)
DEALLOC(titled)

#define ITEMS(NAME)                                                                      \
    static PyMethodDef NAME##_methods[] = {                                              \
        {"items", NAME##_items, METH_NOARGS, "Every reference the memory holds."},       \
        {NULL},                                                                          \
    };

ITEMS(array)
ITEMS(linked)
ITEMS(tagged)
ITEMS(curious)
ITEMS(thrice)

#define COLLECTED(STRUCT, NAME, ...)                                                     \
    static PyType_Slot NAME##_slots[] = {                                                \
        {Py_tp_new, NAME##_new},                                                         \
        {Py_tp_traverse, NAME##_traverse},                                               \
        {Py_tp_clear, NAME##_clear},                                                     \
        {Py_tp_dealloc, NAME##_dealloc},                                                 \
        __VA_ARGS__,                                                                     \
        {0, NULL},                                                                       \
    };                                                                                   \
    static PyType_Spec NAME##_spec = {                                                   \
        "handwritten." #STRUCT, sizeof(STRUCT), 0,                                       \
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, NAME##_slots,     \
    };

COLLECTED(Fields, fields, {Py_tp_members, fields_members}, {Py_tp_getset, fields_getset})
COLLECTED(Array, array, {Py_tp_methods, array_methods})
COLLECTED(Linked, linked, {Py_tp_methods, linked_methods})
COLLECTED(Tagged, tagged, {Py_tp_methods, tagged_methods})
COLLECTED(Curious, curious, {Py_tp_methods, curious_methods})
COLLECTED(Thrice, thrice, {Py_tp_methods, thrice_methods})
COLLECTED(Secret, secret, {Py_tp_members, secret_members})
COLLECTED(Picky, picky, {Py_tp_members, picky_members})

static PyType_Slot plain_slots[] = {
    {Py_tp_new, plain_new},
    {Py_tp_dealloc, plain_dealloc},
    {Py_tp_members, plain_members},
    {0, NULL},
};
static PyType_Spec plain_spec = {
    "handwritten.Plain", sizeof(Plain), 0, Py_TPFLAGS_DEFAULT, plain_slots,
};

/* Made by object.__new__. */
static PyType_Slot titled_slots[] = {
    {Py_tp_traverse, titled_traverse}, {Py_tp_clear, titled_clear},
    {Py_tp_dealloc, titled_dealloc},   {Py_tp_members, titled_members},
    {Py_tp_methods, titled_methods},   {0, NULL},
};
static PyType_Spec titled_spec = {
    "handwritten.Titled", sizeof(Titled), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, titled_slots,
};

static int
module_exec(PyObject *module)
{
    PyType_Spec *specs[] = {
        &fields_spec, &array_spec,  &linked_spec, &tagged_spec, &curious_spec,
        &thrice_spec, &secret_spec, &picky_spec,  &plain_spec,  &titled_spec,
    };
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        PyObject *type = PyType_FromModuleAndSpec(module, specs[i], NULL);
        if (type == NULL)
            return -1;
        int failed = PyModule_AddType(module, (PyTypeObject *)type);
        Py_DECREF(type);
        if (failed)
            return -1;
    }
    return 0;
}

/* C code that holds on to an argument while it calls back: references on the C
 * stack, which nothing shows. */
static PyObject *
call_holding(PyObject *module, PyObject *args)
{
    PyObject *held, *callback;
    if (!PyArg_ParseTuple(args, "OO:call_holding", &held, &callback))
        return NULL;
    Py_INCREF(held);
    PyObject *result = PyObject_CallNoArgs(callback);
    if (result == NULL) {
        Py_DECREF(held);
        return NULL;
    }
    Py_DECREF(result);
    return held;
}

static PyMethodDef module_methods[] = {
    {"call_holding", call_holding, METH_VARARGS,
     "call_holding(held, callback): call the callback, then return what C still holds."},
    {NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "handwritten",
    .m_methods = module_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_handwritten(void)
{
    return PyModuleDef_Init(&module_def);
}
