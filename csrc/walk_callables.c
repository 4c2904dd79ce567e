/* Walkers of functions, methods, cells, generators, code and modules. */
#include "walk.h"

int
gcr_walk_cell(PyObject *holder, gcr_walk_state *walk)
{
    GCR_FIELD(((PyCellObject *)holder)->ob_ref, GCR_ANY, ".cell_contents");
    return 0;
}

/* Fields that the call machinery reads under func_version have a role. */
int
gcr_walk_function(PyObject *holder, gcr_walk_state *walk)
{
    PyFunctionObject *func = (PyFunctionObject *)holder;
    GCR_SHOW(.address = &func->func_code, .role = GCR_FUNCTION, .accepts = GCR_CODE,
             .name = ".__code__");
    GCR_SHOW(.address = &func->func_globals, .role = GCR_FUNCTION, .accepts = GCR_EXACT_DICT,
             .name = ".__globals__");
    GCR_SHOW(.address = &func->func_builtins, .role = GCR_FUNCTION, .accepts = GCR_EXACT_DICT,
             .name = ".__builtins__");
    GCR_SHOW(.address = &func->func_defaults, .role = GCR_FUNCTION, .accepts = GCR_TUPLE,
             .name = ".__defaults__");
    GCR_SHOW(.address = &func->func_kwdefaults, .role = GCR_FUNCTION, .accepts = GCR_EXACT_DICT,
             .name = ".__kwdefaults__");
    GCR_SHOW(.address = &func->func_closure, .role = GCR_FUNCTION, .accepts = GCR_NOTHING,
             .name = ".__closure__");
    GCR_FIELD(func->func_module, GCR_ANY, ".__module__");
    GCR_FIELD(func->func_doc, GCR_ANY, ".__doc__");
    GCR_FIELD(func->func_name, GCR_STR, ".__name__");
    GCR_FIELD(func->func_qualname, GCR_STR, ".__qualname__");
    GCR_FIELD(func->func_dict, GCR_EXACT_DICT, ".__dict__");
    GCR_FIELD(func->func_annotations, GCR_SAME_LAYOUT, ".__annotations__");
    GCR_SHOW(.address = gcr_function_typeparams(func), .accepts = GCR_TUPLE,
             .name = ".__type_params__");
    GCR_SHOW(.address = gcr_function_annotate(func), .name = ".__annotate__");
    return 0;
}

int
gcr_walk_method(PyObject *holder, gcr_walk_state *walk)
{
    PyMethodObject *method = (PyMethodObject *)holder;
    GCR_FIELD(method->im_func, GCR_ANY, ".__func__");
    GCR_FIELD(method->im_self, GCR_ANY, ".__self__");
    return 0;
}

/* The stack word `i` of a frame that does not run. */
static gcr_accepts
word_accepts(gcr_frame *frame, Py_ssize_t i)
{
    PyCodeObject *code = gcr_frame_code(frame);
    PyObject *referent = gcr_frame_referent(((PyObject **)frame->localsplus)[i]);
    if (referent == NULL) {
        return GCR_ANY;
    }
    if (i >= code->co_nlocalsplus) {
        /* The exception that was being handled when this one was is put back unlooked. */
        return PyExceptionInstance_Check(referent) ? GCR_SAME_LAYOUT : GCR_ANY;
    }
    char kind = PyBytes_AS_STRING(code->co_localspluskinds)[i];
    return (kind & (CO_FAST_CELL | CO_FAST_FREE)) && PyCell_Check(referent) ? GCR_CELL : GCR_ANY;
}

/* Python/frame.c:_PyFrame_Traverse. */
int
gcr_walk_frame_words(gcr_frame *frame, gcr_walk_state *walk)
{
    GCR_SHOW(.address = gcr_frame_code_slot(frame), .kind = GCR_FRAME_KIND,
             .accepts = GCR_NOTHING, .name = "<code>");
    /* Its closure was copied when the frame began (COPY_FREE_VARS, the first instruction);
     * its globals and builtins are borrowed to the end. */
    GCR_SHOW(.address = gcr_frame_func_slot(frame), .kind = GCR_FRAME_KIND,
             .accepts = GCR_CALLED, .name = "<function>");
    GCR_FIELD(frame->f_locals, GCR_SAME_LAYOUT, "<locals>");
    GCR_FIELD(frame->frame_obj, GCR_NOTHING, ".gi_frame");
    Py_ssize_t live = gcr_frame_live(frame);
    for (Py_ssize_t i = 0; i < live; i++) {
        GCR_SHOW(.address = (PyObject **)&frame->localsplus[i], .kind = GCR_FRAME_KIND,
                 .accepts = word_accepts(frame, i), .name = "<local>", .index = i);
    }
    return 0;
}

/* Objects/genobject.c:gen_traverse and async_gen_traverse. */
int
gcr_walk_generator(PyObject *holder, gcr_walk_state *walk)
{
    PyGenObject *gen = (PyGenObject *)holder;
    GCR_FIELD(gen->gi_name, GCR_STR, ".__name__");
    GCR_FIELD(gen->gi_qualname, GCR_STR, ".__qualname__");
    GCR_FIELD(gen->gi_exc_state.exc_value, GCR_SAME_LAYOUT, "<exception being handled>");
    GCR_SHOW(.address = gcr_generator_code(gen), .accepts = GCR_NOTHING, .name = ".gi_code");
    /* A plain generator's is never set, not even to NULL. */
    if (PyAsyncGen_CheckExact(holder)) {
        GCR_FIELD(gen->gi_origin_or_finalizer, GCR_ANY, "<finalizer>");
    }
    else if (PyCoro_CheckExact(holder)) {
        GCR_HIDDEN_FIELD(gen->gi_origin_or_finalizer, GCR_NOTHING, ".cr_origin");
    }
    if (gen->gi_frame_state >= FRAME_EXECUTING) {
        return 0;
    }
    return gcr_walk_frame_words((gcr_frame *)&gen->gi_iframe, walk);
}

/* Objects/moduleobject.c:module_traverse; what its C code keeps is the probe's. */
int
gcr_walk_module(PyObject *holder, gcr_walk_state *walk)
{
    PyModuleObject *module = (PyModuleObject *)holder;
    GCR_FIELD(module->md_dict, GCR_NOTHING, ".__dict__");
    GCR_HIDDEN_FIELD(module->md_name, GCR_SAME_LAYOUT, "<name>");
    return 0;
}

/* A code object is no GC object: nothing of it is shown. */
int
gcr_walk_code(PyObject *holder, gcr_walk_state *walk)
{
    PyCodeObject *code = (PyCodeObject *)holder;
    GCR_HIDDEN_FIELD(code->co_consts, GCR_NOTHING, ".co_consts");
    GCR_HIDDEN_FIELD(code->co_names, GCR_NOTHING, ".co_names");
    GCR_HIDDEN_FIELD(code->co_localsplusnames, GCR_NOTHING, "<names of locals>");
    GCR_HIDDEN_FIELD(code->co_filename, GCR_STR, ".co_filename");
    GCR_HIDDEN_FIELD(code->co_name, GCR_STR, ".co_name");
    GCR_HIDDEN_FIELD(code->co_qualname, GCR_STR, ".co_qualname");
    return 0;
}

int
gcr_walk_weakref(PyObject *holder, gcr_walk_state *walk)
{
    PyWeakReference *ref = (PyWeakReference *)holder;
    GCR_FIELD(ref->wr_callback, GCR_ANY, ".__callback__");
    if (ref->wr_object != Py_None) {
        GCR_SHOW(.address = &ref->wr_object, .kind = GCR_WEAK, .name = "()", .flags = GCR_HIDDEN);
    }
    return 0;
}
