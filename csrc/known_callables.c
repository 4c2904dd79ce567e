/* What wraps callables, and descriptors. */
#include "known.h"

const gcr_known gcr_known_callables[] = {
    {"(x := property(a, b, c, text), a, b, c, text, x.__set_name__(Thing, other) or other)",
     .fields = {{".fget"}, {".fset"}, {".fdel"}, {".__doc__"}, {".__name__"}}},
    {"(x := classmethod(a), a, x.__dict__)",
     .fields = {{".__func__"}, {".__dict__", GCR_EXACT_DICT}}},
    {"(x := staticmethod(a), a, x.__dict__)",
     .fields = {{".__func__"}, {".__dict__", GCR_EXACT_DICT}}},
    /* From 3.14 on, how many arguments are placeholders is counted at creation. */
    {"(x := _functools.partial(function, a, k=b), function, x.args, x.keywords, x.__dict__)",
     .fields = {{".func"}, {".args", GCR_NOTHING}, {".keywords", GCR_NOTHING},
                {".__dict__", GCR_EXACT_DICT}}},
    {"(_functools.cmp_to_key(function)(a), function, a)", .fields = {{"<comparison>"}, {".obj"}}},
    {"(super(Thing, x := Other()), Thing, x, Other)",
     .fields = {{".__thisclass__", GCR_TYPE}, {".__self__"}, {".__self_class__", GCR_TYPE}}},
    {"(a.__str__, object.__str__, a)",
     .fields = {{"<descriptor>", GCR_NOTHING}, {".__self__", GCR_SAME_LAYOUT}}},
    {"(type(Thing.__dict__)(x := {a: b}), x)", .fields = {{"<mapping>"}}},
    /* Closed, so that nothing complains that they were never awaited. */
    {"((y := coroutine(a)).__await__(), y)[: 2 + bool(y.close())]",
     .fields = {{"<coroutine>", GCR_NOTHING}}},
    {"(x := (y := async_generator(a)).asend(b), y, b)[: 3 + bool(x.close())]",
     .fields = {{"<async generator>", GCR_NOTHING}, {"<value to send>"}}},
    {0},
};

/* A class that C code finds the state of its module by; one made by a class statement has none. */
static int
leads_to_state(PyTypeObject *type)
{
    return !PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE)
           || ((PyHeapTypeObject *)type)->ht_module != NULL;
}

/* A method of a module or of a type gets its state from what it is bound to. */
int
gcr_walk_builtin(PyObject *holder, gcr_walk_state *walk)
{
    PyCFunctionObject *function = (PyCFunctionObject *)holder;
    GCR_FIELD(function->m_self,
              function->m_self != NULL && PyModule_Check(function->m_self) ? GCR_NOTHING
                                                                           : GCR_SAME_LAYOUT,
              ".__self__");
    GCR_FIELD(function->m_module, GCR_ANY, ".__module__");
    if (function->m_ml->ml_flags & METH_METHOD) {
        PyTypeObject *type = ((PyCMethodObject *)holder)->mm_class;
        GCR_FIELD(((PyCMethodObject *)holder)->mm_class,
                  type != NULL && leads_to_state(type) ? GCR_NOTHING : GCR_TYPE,
                  "<defining class>");
    }
    return 0;
}

int
gcr_walk_descriptor(PyObject *holder, gcr_walk_state *walk)
{
    PyDescrObject *descriptor = (PyDescrObject *)holder;
    GCR_FIELD(descriptor->d_type, GCR_NOTHING, ".__objclass__");
    GCR_HIDDEN_FIELD(descriptor->d_name, GCR_STR, ".__name__");
    GCR_HIDDEN_FIELD(descriptor->d_qualname, GCR_STR, ".__qualname__");
    return 0;
}
