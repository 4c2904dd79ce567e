//! The engine of gcremap: finds every slot that refers to an old object and
//! rewrites it to its new one.
//!
//! ```text
//! mapping -> arguments -> search -> locate -> plan -> apply -> repair -> release
//!            pairs        holders   slots     all that  stores   caches    counts of the
//!                                   (probe)   can fail                     olds, last
//! ```
//!
//! `api` is the door; `forwarding`, `memory` are plain Rust; `slot` alone stores a
//! referent; `ffi` alone knows `csrc/gcremap.h`, and `csrc` alone knows CPython's
//! layouts.
//!
//! Words: a *slot* is the address of a `PyObject *` field, its *holder* the object
//! it belongs to, its *referent* what it points to; *old* and *new* are the sides
//! of a pair; a *walker* visits the slots of a type whose layout is known; the
//! *probe* finds those of any other; an *edit* is a slot to rewrite; a *refusal* is
//! a reason not to start; a *leftover* is a reference to old that no slot explains.
//!
//! Invariants, cited by SAFETY comments:
//!
//! - **I1 stopped**: the GIL is held and nothing runs Python, so no mutator moves a slot.
//! - **I2 alive**: holders and both sides of every pair are owned by the call or the log.
//! - **I3 layout**: the walkers were compiled for the running interpreter; checked at import.
//! - **I4 balance**: a store into an owning slot moves exactly one count from old to new.
//! - **I5 no re-entry**: between the first store and the last repair nothing runs Python.

use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

use pyo3_ffi::{
    PyCFunction, PyCFunctionFast, PyCFunctionWithKeywords, PyErr_SetString, PyExc_ImportError,
    PyMethodDef, PyMethodDefPointer, PyModuleDef, PyModuleDef_HEAD_INIT, PyModuleDef_Init,
    PyModuleDef_Slot, PyModule_AddFunctions, PyModule_AddStringConstant, PyObject, Py_mod_exec,
    METH_FASTCALL, METH_KEYWORDS, METH_NOARGS, METH_O, METH_VARARGS,
};

mod api;
mod apply;
mod arguments;
mod borrowed;
mod census;
mod compared;
mod counts;
mod doors;
mod edit;
mod error;
mod facts;
mod ffi;
mod forwarding;
mod fresh;
mod hashes;
mod kinds;
mod locate;
mod log;
mod lost;
mod memory;
mod object;
mod pins;
mod plan;
mod probe;
mod ready;
mod repair;
mod sanity;
mod search;
mod slot;
mod takeover;
mod transaction;
mod turn;
mod undo;
mod unfinished;
mod world;

struct Shared<T>(std::cell::UnsafeCell<T>);

// SAFETY: CPython alone touches the contents, with the GIL held.
unsafe impl<T> Sync for Shared<T> {}

static SLOTS: Shared<[PyModuleDef_Slot; 2]> = Shared(std::cell::UnsafeCell::new([
    PyModuleDef_Slot {
        slot: Py_mod_exec,
        value: exec as unsafe extern "C" fn(*mut PyObject) -> c_int as *mut c_void,
    },
    PyModuleDef_Slot { slot: 0, value: null_mut() },
]));

static MODULE: Shared<PyModuleDef> = Shared(std::cell::UnsafeCell::new(PyModuleDef {
    m_base: PyModuleDef_HEAD_INIT,
    m_name: c"gcremap._native".as_ptr(),
    m_doc: null_mut(),
    m_size: 0,
    m_methods: null_mut(),
    m_slots: SLOTS.0.get().cast(),
    m_traverse: None,
    m_clear: None,
    m_free: None,
}));

const fn door(name: &'static std::ffi::CStr, function: PyCFunction, flags: c_int) -> PyMethodDef {
    PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: PyMethodDefPointer { PyCFunction: function },
        ml_flags: flags,
        ml_doc: null_mut(),
    }
}

static METHODS: Shared<[PyMethodDef; 26]> = Shared(std::cell::UnsafeCell::new([
    PyMethodDef {
        ml_name: c"remap".as_ptr(),
        ml_meth: PyMethodDefPointer {
            PyCFunctionWithKeywords: api::remap as PyCFunctionWithKeywords,
        },
        ml_flags: METH_VARARGS | METH_KEYWORDS,
        ml_doc: REMAP_DOC.as_ptr(),
    },
    door(c"_referrers", api::referrers, METH_VARARGS),
    door(c"_entries_with", hashes::entries_with, METH_VARARGS),
    door(c"_census", census::census, METH_VARARGS),
    door(c"_holders_of", census::holders_of, METH_VARARGS),
    door(c"_exit_callbacks", census::exit_callbacks, METH_NOARGS),
    door(c"_rehash", api::rehash, METH_O),
    PyMethodDef {
        ml_name: c"_is_a".as_ptr(),
        ml_meth: PyMethodDefPointer { PyCFunctionFast: kinds::is_a as PyCFunctionFast },
        ml_flags: METH_FASTCALL,
        ml_doc: null_mut(),
    },
    door(c"_is_class", kinds::is_class, METH_O),
    door(c"_leave_bases", kinds::leave_bases, METH_VARARGS),
    door(c"_make_young", kinds::make_young, METH_VARARGS),
    door(c"_enclosed", fresh::enclosed, METH_O),
    door(c"_made_within", fresh::made_within, METH_O),
    door(c"_fits", kinds::fits, METH_VARARGS),
    door(c"_compared_by", compared::compared_by, METH_VARARGS),
    door(c"_hush", hashes::hush, METH_O),
    door(c"_walk", doors::walk, METH_O),
    door(c"_traverse", doors::traverse, METH_O),
    door(c"_told", doors::told, METH_O),
    door(c"_probe", doors::probe, METH_O),
    door(c"_coverage", doors::coverage, METH_O),
    door(c"_pinned", doors::pinned, METH_NOARGS),
    door(c"_faults", sanity::faults, METH_NOARGS),
    door(c"_release_pins", api::release_pins, METH_NOARGS),
    door(c"_swap_functions", takeover::swap_functions, METH_VARARGS),
    PyMethodDef::zeroed(),
]));

const REMAP_DOC: &std::ffi::CStr =
    c"remap(mapping, /, *, exclude=(), weakrefs=True, frames=True, unsafe=False, dry_run=False)
--

Rewrite every reference to each old of a mapping (or of (old, new) pairs) to its new.

All checks come before the first write: on any error everything is as it was.

  mapping   old -> new, by identity; or an iterable of (old, new) pairs
  exclude   holders whose slots stay as they are
  unsafe    skip the refusals about what kind of object a slot may hold
  dry_run   report what would happen; write nothing

Returns a gcremap.RemapReport. Raises TypeError or ValueError for bad arguments and
gcremap.RemapError for a mapping that is refused.

What Smalltalk calls becomeForward; after Peter Ingebretson's gc.remap (bpo-10194).";

unsafe extern "C" fn exec(module: *mut PyObject) -> c_int {
    // SAFETY: the import system passes the new module and holds the GIL.
    unsafe {
        let refusal = ffi::bindings::gcr_init();
        if !refusal.is_null() {
            PyErr_SetString(PyExc_ImportError, refusal);
            return -1;
        }
        if log::create_type().is_null() {
            return -1;
        }
        let backend = match ffi::bindings::gcr_traversal_tells() {
            0 => c"stock",
            _ => c"patched",
        };
        if PyModule_AddStringConstant(module, c"_backend".as_ptr(), backend.as_ptr()) < 0 {
            return -1;
        }
        PyModule_AddFunctions(module, METHODS.0.get().cast())
    }
}

/// What the import system calls.
///
/// # Safety
/// Called by CPython, with the GIL held.
#[no_mangle]
pub unsafe extern "C" fn PyInit__native() -> *mut PyObject {
    // SAFETY: `MODULE` is a module definition that lives as long as the process.
    unsafe { PyModuleDef_Init(MODULE.0.get()) }
}
