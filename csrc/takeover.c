/* Two functions trade what they are made of, so that whoever holds the one runs
 * the other's code. Setting __code__ does not reach that far: it refuses another
 * number of free variables, and __closure__ and __globals__ are read-only. */
#include "compat.h"

#define TRADE(a, b, field)                                                                       \
    do {                                                                                         \
        PyObject *held_ = (a)->field;                                                            \
        (a)->field = (b)->field;                                                                 \
        (b)->field = held_;                                                                      \
    } while (0)

/* Call sites are specialised on func_version, which only the setters can reset:
 * since 3.13 the interpreter keeps a table of borrowed pointers by version
 * (gh-117045). This one stores what is there already. */
static int
forget_version(PyFunctionObject *func)
{
    PyObject *defaults = func->func_defaults;
    return PyFunction_SetDefaults((PyObject *)func, defaults == NULL ? Py_None : defaults);
}

int
gcr_swap_functions(PyObject *left, PyObject *right)
{
    if (!PyFunction_Check(left) || !PyFunction_Check(right)) {
        return 0;
    }
    PyFunctionObject *a = (PyFunctionObject *)left;
    PyFunctionObject *b = (PyFunctionObject *)right;
    if (a == b) {
        return 1;
    }
    if (a->vectorcall != b->vectorcall || forget_version(a) < 0 || forget_version(b) < 0) {
        return 0;
    }
    TRADE(a, b, func_globals);
    TRADE(a, b, func_builtins);
    TRADE(a, b, func_name);
    TRADE(a, b, func_qualname);
    TRADE(a, b, func_code);
    TRADE(a, b, func_defaults);
    TRADE(a, b, func_kwdefaults);
    TRADE(a, b, func_closure);
    TRADE(a, b, func_doc);
    TRADE(a, b, func_dict);
    TRADE(a, b, func_module);
    TRADE(a, b, func_annotations);
#if GCR_PY312
    TRADE(a, b, func_typeparams);
#endif
#if GCR_PY314
    TRADE(a, b, func_annotate);
#endif
    return 1;
}
