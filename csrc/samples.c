/* Whether walkers show what the objects at hand hold: asked at import, of objects
 * that public calls made, so that what was put where is known. */
#include "known.h"

enum { MOST = 512 };

typedef struct bag {
    PyObject *items[MOST];
    size_t length;
} bag;

typedef struct look {
    bag certain; /* what tp_traverse must show */
    bag perhaps; /* what it may show */
    bag hidden;
} look;

static int
put(bag *bag, PyObject *object)
{
    if (bag->length == MOST) {
        return -1;
    }
    bag->items[bag->length++] = object;
    return 0;
}

static int
take(bag *bag, PyObject *object)
{
    for (size_t i = 0; i < bag->length; i++) {
        if (bag->items[i] == object) {
            bag->items[i] = bag->items[--bag->length];
            return 1;
        }
    }
    return 0;
}

static int
put_slot(const gcr_slot *slot, void *arg)
{
    look *look = arg;
    PyObject *referent = slot->kind == GCR_STACKREF ? gcr_frame_referent(*slot->address)
                                                    : *slot->address;
    if (referent == NULL) {
        return 0;
    }
    if (slot->flags & GCR_PERHAPS_SHOWN) {
        return put(&look->perhaps, referent);
    }
    return put(slot->flags & GCR_HIDDEN ? &look->hidden : &look->certain, referent);
}

static int
put_referent(PyObject *referent, void *arg)
{
    return put(arg, referent);
}

static Py_ssize_t
count(const bag *bag, PyObject *referent)
{
    Py_ssize_t found = 0;
    for (size_t i = 0; i < bag->length; i++) {
        found += bag->items[i] == referent;
    }
    return found;
}

/* How often any slot shows the referent. */
static Py_ssize_t
count_all(const look *look, PyObject *referent)
{
    return count(&look->certain, referent) + count(&look->perhaps, referent)
           + count(&look->hidden, referent);
}

/* Whether the traversal shows what it must and nothing but what it may. */
static int
traversal_agrees(const look *look, PyObject *sample)
{
    bag shown = {.length = 0}, perhaps = look->perhaps;
    if (gcr_traverse(sample, put_referent, &shown) != 0) {
        return 0;
    }
    for (size_t i = 0; i < look->certain.length; i++) {
        if (!take(&shown, look->certain.items[i])) {
            return 0;
        }
    }
    for (size_t i = 0; i < shown.length; i++) {
        if (!take(&perhaps, shown.items[i])) {
            return 0;
        }
    }
    return 1;
}

int
gcr_walker_agrees(PyObject *sample, const gcr_walker_entry *entry, PyObject *tuple)
{
    look look = {.certain.length = 0};
    gcr_walk_state walk = {put_slot, &look, NULL};
    if (gcr_walker_run(entry, sample, &walk) != 0 || !traversal_agrees(&look, sample)) {
        return 0;
    }
    for (Py_ssize_t i = 1; i < PyTuple_GET_SIZE(tuple); i++) {
        PyObject *referent = PyTuple_GET_ITEM(tuple, i);
        if (referent != Py_Ellipsis && count_all(&look, referent) == 0) {
            return 0;
        }
    }
    return 1;
}

static int
core_walker_agrees(PyObject *sample, PyObject *token, PyObject *text, Py_ssize_t tokens)
{
    look look = {.certain.length = 0};
    if (gcr_walk(sample, NULL, put_slot, &look) != 0 || !traversal_agrees(&look, sample)) {
        return 0;
    }
    return tokens < 0 || count_all(&look, token) + count_all(&look, text) == tokens;
}

/* (object, slots of it that hold `token` or `text`, -1 where that differs by version):
 * one of each core type, in each of the shapes that its walker tells apart. */
static const char core_samples[] =
    "import _weakref\n"
    "token = object()\n"
    "text = f'gcremap {id(token)}'\n" /* not interned */
    "def function(a, b=token, *, c=token):\n"
    "    d = token\n"
    "    return lambda: d\n"
    "function.__doc__ = function.__module__ = token\n"
    "def generator(a):\n"
    "    b = a\n"
    "    yield b\n"
    "async def async_generator(a):\n"
    "    yield a\n"
    "suspended = generator(token)\n"
    "next(suspended)\n"
    "class Plain:\n"
    "    def method(self): pass\n"
    "class Slotted:\n"
    "    __slots__ = ('x', '__weakref__')\n"
    "class Listed(list):\n"
    "    __slots__ = ('x',)\n"
    "plain, slotted, listed, materialised = Plain(), Slotted(), Listed([token]), Plain()\n"
    "plain.x = slotted.x = listed.x = materialised.x = token\n"
    "deleted = {0: token, token: 1, 2: 3}\n"
    "del deleted[0]\n"
    "members = {token, *range(50)}\n"
    "members.discard(0)\n"
    "code = function.__code__.replace(co_name=text, co_qualname=text, co_filename=text)\n"
    "samples = [\n"
    "    ([token, 1, token], 2), ((token, 1, token), 2), ({token}, 1), (frozenset([token]), 1),\n"
    "    (members, 1), ({text: token}, 2), ({token: token, 1: token}, 3), (deleted, 1),\n"
    "    (materialised.__dict__, 1), (materialised, -1), (plain, 1), (slotted, 1),\n"
    "    (listed, 2), (function, 2), (function(1).__closure__[0], 1), (code, 3),\n"
    "    (type(plain.method)(function, token), 1), (suspended, 2), (async_generator(token), 1),\n"
    "    (Plain, 0), (Slotted, 0), (Listed, 0), (_weakref.ref(Plain, token), 1),\n"
    "    (_weakref.ref(slotted), 0),\n"
    "]\n";

PyObject *
gcr_run_sample(const char *source, int start, PyObject *namespace)
{
    /* The program's hooks are not told of generators that are none of its own. */
    PyThreadState *ts = PyThreadState_Get();
    PyObject *first = ts->async_gen_firstiter, *last = ts->async_gen_finalizer;
    ts->async_gen_firstiter = ts->async_gen_finalizer = NULL;
    PyObject *made = PyRun_String(source, start, namespace, namespace);
    ts->async_gen_firstiter = first;
    ts->async_gen_finalizer = last;
    if (made == NULL && !PyErr_Occurred()) {
        /* CPython's parser says nothing when its memory is out. */
        PyErr_NoMemory();
    }
    return made;
}

PyObject *
gcr_run_samples(const char *source)
{
    PyObject *namespace = PyDict_New();
    PyObject *done = namespace == NULL ? NULL : gcr_run_sample(source, Py_file_input, namespace);
    if (done == NULL) {
        Py_CLEAR(namespace);
    }
    Py_XDECREF(done);
    return namespace;
}

void
gcr_drop_samples(PyObject *namespace)
{
    PyDict_Clear(namespace);
    Py_DECREF(namespace);
}

const char *
gcr_layout_refusal_of_samples(void)
{
    PyObject *namespace = gcr_run_samples(core_samples);
    if (namespace == NULL) {
        PyErr_Clear();
        return "gcremap could not make objects to learn this interpreter's layout from";
    }
    PyObject *token = PyDict_GetItemString(namespace, "token");
    PyObject *text = PyDict_GetItemString(namespace, "text");
    PyObject *samples = PyDict_GetItemString(namespace, "samples");
    const char *refusal = NULL;
    for (Py_ssize_t i = 0; i < PyList_Size(samples) && refusal == NULL; i++) {
        PyObject *sample, *tokens = PyList_GetItem(samples, i);
        sample = PyTuple_GetItem(tokens, 0);
        tokens = PyTuple_GetItem(tokens, 1);
        if (!core_walker_agrees(sample, token, text, PyLong_AsSsize_t(tokens))) {
            refusal = gcr_layout_differs(Py_TYPE(sample)->tp_name);
        }
    }
    gcr_drop_samples(namespace);
    return refusal;
}
