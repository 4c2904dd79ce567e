/* What a CPython says of its own layouts, by version. */
#ifndef GCR_COMPAT_LAYOUT_H
#define GCR_COMPAT_LAYOUT_H

#include "compat_state.h"

/* A CPython of 3.13 and later has a table of offsets in its runtime, for debuggers
 * (gh-113710): F(place in the table, struct, field) for what csrc/ relies on.
 * Sizes of the interpreter's and threads' states are left out: they grow at their
 * ends within a version. */
#if GCR_PY313
#  define GCR_OFFSETS_OF_313(F)                                                              \
      F(interpreter_state.threads_head, PyInterpreterState, threads.head)                    \
      F(interpreter_state.gc, PyInterpreterState, gc)                                        \
      F(interpreter_state.imports_modules, PyInterpreterState, imports.modules)              \
      F(interpreter_state.sysdict, PyInterpreterState, sysdict)                              \
      F(interpreter_state.builtins, PyInterpreterState, builtins)                            \
      F(thread_state.prev, PyThreadState, prev)                                              \
      F(thread_state.next, PyThreadState, next)                                              \
      F(thread_state.interp, PyThreadState, interp)                                          \
      F(thread_state.current_frame, PyThreadState, current_frame)                            \
      F(thread_state.thread_id, PyThreadState, thread_id)                                    \
      F(thread_state.native_thread_id, PyThreadState, native_thread_id)                      \
      F(interpreter_frame.previous, _PyInterpreterFrame, previous)                           \
      F(interpreter_frame.executable, _PyInterpreterFrame, f_executable)                     \
      F(interpreter_frame.instr_ptr, _PyInterpreterFrame, instr_ptr)                         \
      F(interpreter_frame.localsplus, _PyInterpreterFrame, localsplus)                       \
      F(interpreter_frame.owner, _PyInterpreterFrame, owner)                                 \
      F(code_object.filename, PyCodeObject, co_filename)                                     \
      F(code_object.name, PyCodeObject, co_name)                                             \
      F(code_object.qualname, PyCodeObject, co_qualname)                                     \
      F(code_object.localsplusnames, PyCodeObject, co_localsplusnames)                       \
      F(code_object.localspluskinds, PyCodeObject, co_localspluskinds)                       \
      F(code_object.co_code_adaptive, PyCodeObject, co_code_adaptive)                        \
      F(pyobject.ob_type, PyObject, ob_type)                                                 \
      F(type_object.tp_flags, PyTypeObject, tp_flags)                                        \
      F(tuple_object.ob_item, PyTupleObject, ob_item)                                        \
      F(tuple_object.ob_size, PyTupleObject, ob_base.ob_size)                                \
      F(list_object.ob_item, PyListObject, ob_item)                                          \
      F(list_object.ob_size, PyListObject, ob_base.ob_size)                                  \
      F(dict_object.ma_keys, PyDictObject, ma_keys)                                          \
      F(dict_object.ma_values, PyDictObject, ma_values)
#else
#  define GCR_OFFSETS_OF_313(F)
#endif

/* 3.14 added sets and generators to it (gh-131591). */
#if GCR_PY314
#  define GCR_OFFSETS_OF_314(F)                                                              \
      F(interpreter_frame.stackpointer, _PyInterpreterFrame, stackpointer)                   \
      F(set_object.used, PySetObject, used)                                                  \
      F(set_object.table, PySetObject, table)                                                \
      F(set_object.mask, PySetObject, mask)                                                  \
      F(gen_object.gi_name, PyGenObject, gi_name)                                            \
      F(gen_object.gi_iframe, PyGenObject, gi_iframe)                                        \
      F(gen_object.gi_frame_state, PyGenObject, gi_frame_state)
#else
#  define GCR_OFFSETS_OF_314(F)
#endif

#if GCR_PY315
#  define GCR_OFFSETS_OF_315(F)                                                              \
      F(heap_type_object.ht_cached_keys, PyHeapTypeObject, ht_cached_keys)                   \
      F(type_object.tp_basicsize, PyTypeObject, tp_basicsize)                                \
      F(type_object.tp_dictoffset, PyTypeObject, tp_dictoffset)                              \
      F(thread_state.current_exception, PyThreadState, current_exception)                    \
      F(thread_state.exc_state, PyThreadState, exc_state)
#else
#  define GCR_OFFSETS_OF_315(F)
#endif

#define GCR_OFFSETS(F) GCR_OFFSETS_OF_313(F) GCR_OFFSETS_OF_314(F) GCR_OFFSETS_OF_315(F)

#endif
