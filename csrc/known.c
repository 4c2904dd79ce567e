/* The table of walkers, and how it learns types whose layout no header has. */
#include "known.h"
#include "roots.h"

#include <string.h>

enum { ENTRIES = 512 }; /* a power of two, more than twice the types */

static gcr_walker_entry table[ENTRIES];
static size_t table_length;

static gcr_walker_entry *
place_of(const void *key)
{
    size_t at = ((uintptr_t)key >> 4) * 0x9E3779B97F4A7C15u >> 32;
    while (table[at % ENTRIES].key != NULL && table[at % ENTRIES].key != key) {
        at++;
    }
    return &table[at % ENTRIES];
}

static void
put(gcr_walker_entry entry)
{
    if (2 * (table_length + 1) > ENTRIES) {
        return; /* the probe serves */
    }
    gcr_walker_entry *place = place_of(entry.key);
    if (place->key == NULL) {
        table_length++;
        *place = entry;
    }
    else if (place->walk != entry.walk || (place->known != NULL && place->known != entry.known)) {
        /* A linker may merge traversals that read the same offsets. What the fields
         * take is then another matter for each type: let the probe serve. */
        *place = (gcr_walker_entry){.key = entry.key, .ambiguous = 1};
    }
}

void
gcr_walker_add(const void *key, gcr_walker walk)
{
    put((gcr_walker_entry){.key = key, .walk = walk});
}

void
gcr_walker_forget_all(void)
{
    memset(table, 0, sizeof(table));
    table_length = 0;
}

static const void *
key_of(PyTypeObject *type)
{
    return type->tp_traverse != NULL ? (const void *)type->tp_traverse : (const void *)type;
}

const gcr_walker_entry *
gcr_walker_find(PyTypeObject *type)
{
    const gcr_walker_entry *entry = place_of(key_of(type));
    return entry->key == NULL || entry->ambiguous ? NULL : entry;
}

int
gcr_walker_run(const gcr_walker_entry *entry, PyObject *holder, gcr_walk_state *walk)
{
    if (entry->walk != NULL) {
        int result = entry->walk(holder, walk);
        if (result != 0) {
            return result;
        }
    }
    for (int i = 0; entry->known != NULL && i < GCR_MOST_FIELDS; i++) {
        const gcr_known_field *field = &entry->known->fields[i];
        if (entry->offsets[i] != 0) {
            GCR_SHOW(.address = (PyObject **)((char *)holder + entry->offsets[i]),
                     .accepts = field->accepts, .flags = field->flags, .role = field->role,
                     .name = field->name);
        }
    }
    PyTypeObject *type = Py_TYPE(holder);
    if (type->tp_traverse == gcr_subtype_traverse) {
        return 0; /* what a class adds, and the class, are shown with the instance */
    }
    if (entry->shows_class && (type->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
        GCR_SHOW(.address = (PyObject **)&holder->ob_type, .role = GCR_OB_TYPE,
                 .accepts = GCR_NOTHING, .name = ".__class__");
    }
    if (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) {
        return gcr_walk_managed_dict(holder, walk);
    }
    return 0;
}

/* ---- learning ------------------------------------------------------------ */

/* The names that samples are made with: `of` finds a referent that has no other
 * name, `maybe` one that not all versions have, `parameter` makes a type parameter. */
static const char prelude[] =
    "import gc, itertools, sys, _collections, _contextvars, _functools, _thread\n"
    "__name__ = 'gcremap samples'\n"
    "class Thing:\n"
    "    def __len__(self): return 1\n"
    "    def __getitem__(self, index): return index\n"
    "class Other(Thing): pass\n"
    "class Caught(Exception): pass\n"
    "a, b, c, d, e, f = (Thing() for _ in range(6))\n"
    "text, other = f'gcremap {id(a)}', f'gcremap {id(b)}'\n"
    "number = 10**30 + id(a)\n"
    "view = memoryview(bytearray(8))\n"
    "def function(x, y=a): return x\n"
    "async def coroutine(x): pass\n"
    "async def async_generator(x): yield x\n"
    "def of(holder, kind, n=0):\n"
    "    return [r for r in gc.get_referents(holder) if type(r) is kind][n]\n"
    "def maybe(holder, kind):\n"
    "    return ([r for r in gc.get_referents(holder) if type(r) is kind] + [...])[0]\n"
    "def caught(error, cause):\n"
    "    try:\n"
    "        try: raise Caught\n"
    "        finally: raise error from cause\n"
    "    except BaseException as raised: del error; return raised\n"
    "def stopped():\n"
    "    local = a\n"
    "    raise Caught\n"
    "def trace():\n"
    "    try: stopped()\n"
    "    except Caught as error: return error.__traceback__\n"
    "def context(size):\n"
    "    made = _contextvars.Context()\n"
    "    for i in range(size):\n"
    "        made.run(_contextvars.ContextVar(str(i)).set, a)\n"
    "    return made\n"
    "defaults = sys.version_info >= (3, 13)\n"
    "def parameter(source, default):\n"
    "    names = {'a': a, 'b': b, 'c': c}\n"
    "    exec(f'def g[{source}{default if defaults else \"\"}](): pass', names)\n"
    "    return names['g'].__type_params__[0]\n"
    "def cached():\n"
    "    made = _functools._lru_cache_wrapper(function, 9, False, Thing)\n"
    "    made(a), made(b)\n"
    "    return made\n"
    "def alias():\n"
    "    names = {'a': a}\n"
    "    exec('def make():\\n type X[T] = a\\n return X', names)\n"
    "    return names['make']()\n";

static int
holds_class(PyObject *referent, void *arg)
{
    return referent == arg;
}

/* The only word of the object, after its header, that holds `referent`; 0 if there
 * is none or more. */
static Py_ssize_t
offset_of(PyObject *object, PyObject *referent)
{
    char *start, *end;
    gcr_extent(object, &start, &end);
    Py_ssize_t found = 0;
    for (Py_ssize_t at = sizeof(PyObject); start + at < end; at += sizeof(PyObject *)) {
        if (*(PyObject **)(start + at) == referent) {
            if (found != 0) {
                return 0;
            }
            found = at;
        }
    }
    return found;
}

static int
learn_fields(gcr_walker_entry *entry, PyObject *tuple)
{
    PyObject *sample = PyTuple_GET_ITEM(tuple, 0);
    for (Py_ssize_t i = 1; i < PyTuple_GET_SIZE(tuple); i++) {
        PyObject *referent = PyTuple_GET_ITEM(tuple, i);
        if (i > GCR_MOST_FIELDS || entry->known->fields[i - 1].name == NULL) {
            return 0;
        }
        if (referent == Py_Ellipsis) {
            continue;
        }
        entry->offsets[i - 1] = offset_of(sample, referent);
        if (entry->offsets[i - 1] == 0) {
            return 0;
        }
    }
    return 1;
}

/* Whether the entry could be made of the samples. */
static int
learn(gcr_walker_entry *entry, PyObject *const *tuples, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *sample = PyTuple_GET_ITEM(tuples[i], 0);
        PyTypeObject *type = Py_TYPE(sample);
        if (type->tp_traverse != NULL && !PyObject_IS_GC(sample)) {
            return 0;
        }
        entry->key = key_of(type);
        if (entry->known->fields[0].name != NULL && !learn_fields(entry, tuples[i])) {
            return 0;
        }
        if (type->tp_flags & Py_TPFLAGS_HEAPTYPE) {
            entry->shows_class |= gcr_traverse(sample, holds_class, type);
        }
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!gcr_walker_agrees(PyTuple_GET_ITEM(tuples[i], 0), entry, tuples[i])) {
            return 0;
        }
    }
    return count > 0;
}

/* A sample that cannot be made is of a type that this version lacks, unless what
 * went wrong is none of its own. */
static int
is_its_own(void)
{
    return PyErr_ExceptionMatches(PyExc_Exception) && !PyErr_ExceptionMatches(PyExc_MemoryError)
           && !PyErr_ExceptionMatches(PyExc_RecursionError);
}

static int
learn_family(const gcr_known *family, PyObject *namespace)
{
    for (const gcr_known *known = family; known->sample != NULL; known++) {
        gcr_walker_entry entry = {.walk = known->walk, .known = known};
        PyObject *made = gcr_run_sample(known->sample, Py_eval_input, namespace);
        if (made != NULL && PyTuple_CheckExact(made) && learn(&entry, &made, 1)) {
            put(entry);
        }
        else if (made != NULL && PyList_CheckExact(made)
                 && learn(&entry, ((PyListObject *)made)->ob_item, PyList_GET_SIZE(made))) {
            put(entry);
        }
        Py_XDECREF(made);
        if (PyErr_Occurred() && !is_its_own()) {
            return -1;
        }
        PyErr_Clear();
    }
    return 0;
}

static int
learn_all(void)
{
    PyObject *namespace = gcr_run_samples(prelude);
    if (namespace == NULL) {
        return -1;
    }
    int result = 0;
    const gcr_known *const families[] = {
        gcr_known_callables,  gcr_known_containers, gcr_known_iterators, gcr_known_values,
        gcr_known_exceptions, gcr_known_typing,     gcr_known_caches,
    };
    for (size_t i = 0; i < Py_ARRAY_LENGTH(families) && result == 0; i++) {
        result = learn_family(families[i], namespace);
    }
    gcr_drop_samples(namespace);
    return result;
}

int
gcr_learn(void)
{
    /* Or debuggers and coverage would see the samples run. */
    PyThreadState *ts = PyThreadState_Get();
    PyThreadState_EnterTracing(ts);
    int result = learn_all();
    PyThreadState_LeaveTracing(ts);
    if (result == 0) {
        gcr_signals_init();
    }
    return result;
}
