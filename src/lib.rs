//! The extension module `gcremap._native`.

use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

use pyo3_ffi::{
    PyModuleDef, PyModuleDef_HEAD_INIT, PyModuleDef_Init, PyModuleDef_Slot, PyObject, Py_mod_exec,
};

struct Shared<T>(std::cell::UnsafeCell<T>);

// SAFETY: CPython alone touches the contents, with the GIL held.
unsafe impl<T> Sync for Shared<T> {}

static SLOTS: Shared<[PyModuleDef_Slot; 2]> = Shared(std::cell::UnsafeCell::new([
    PyModuleDef_Slot {
        slot: Py_mod_exec,
        value: exec as unsafe extern "C" fn(*mut PyObject) -> c_int as *mut c_void,
    },
    PyModuleDef_Slot {
        slot: 0,
        value: null_mut(),
    },
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

unsafe extern "C" fn exec(_module: *mut PyObject) -> c_int {
    0
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
