/* Two functions trade what they are made of, so that whoever holds the one runs
 * the other's code. Setting __code__ does not reach that far: it refuses another
 * number of free variables, and __closure__ and __globals__ are read-only. */
#include "compat_types.h"

#define TRADE(a, b, field)                                                                       \
    do {                                                                                         \
        PyObject *held_ = (a)->field;                                                            \
        (a)->field = (b)->field;                                                                 \
        (b)->field = held_;                                                                      \
    } while (0)

static void
tell_of_all(PyObject *function)
{
    for (int field = GCR_FUNCTION_CODE; field <= GCR_FUNCTION_KWDEFAULTS; field++) {
        gcr_tell_function(function, field, gcr_function_part(function, field));
    }
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
    if (a->vectorcall != b->vectorcall) {
        return 0;
    }
    gcr_function_clear_version(a);
    gcr_function_clear_version(b);
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
    tell_of_all(left);
    tell_of_all(right);
    return 1;
}
