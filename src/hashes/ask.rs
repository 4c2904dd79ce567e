//! The conversation with `gcremap._future`, which runs user code.

use std::cell::Cell;
use std::ptr;

use pyo3_ffi as py;
use pyo3_ffi::PyObject;

use super::{for_each_entry, Answer, Question};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::ffi::bindings as c;
use crate::object::{list, module, Owned, Raised};

thread_local! {
    static ASKING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside a `__hash__` or `__eq__` that a remap runs.
pub(crate) fn is_asking() -> bool {
    ASKING.get()
}

/// Puts the question to `gcremap._future`; runs user code.
///
/// # Safety
/// The GIL is held.
pub(crate) unsafe fn ask(question: &Question) -> Result<Answer, Raised> {
    struct Asking;
    impl Drop for Asking {
        fn drop(&mut self) {
            ASKING.set(false);
        }
    }
    ASKING.set(true);
    let _asking = Asking;
    // SAFETY: the caller's promise, for every call in this function.
    unsafe {
        let tables = list(question.tables.iter().map(|table| {
            let entries = list(table.entries.iter().map(|entry| {
                let new_key = entry.new_key.as_ref().unwrap_or(&entry.key);
                Owned::steal(py::Py_BuildValue(
                    c"(nOO)".as_ptr(),
                    entry.position,
                    entry.key.as_ptr(),
                    new_key.as_ptr(),
                ))
            }))?;
            Owned::steal(py::PyTuple_Pack(2, table.table.as_ptr(), entries.as_ptr()))
        }))?;
        let changed = question.changed.iter().map(|object| Ok(Owned::borrow(object.as_ptr())));
        let changed = list(changed)?;
        let home = module(c"gcremap._future")?;
        let answers = Owned::steal(py::PyObject_CallMethod(
            home.as_ptr(),
            c"_answer".as_ptr(),
            c"OOOOOOOO".as_ptr(),
            tables.as_ptr(),
            changed.as_ptr(),
            tuples(&question.replaced)?.as_ptr(),
            tuples(&question.classes)?.as_ptr(),
            tuples(&question.references)?.as_ptr(),
            tuples(&question.methods)?.as_ptr(),
            tuples(&question.bases)?.as_ptr(),
            tuples(&question.restored)?.as_ptr(),
        ))?;
        read_answer(question, &answers)
    }
}

/// # Safety
/// The GIL is held.
unsafe fn tuples<const N: usize>(rows: &[[Owned; N]]) -> Result<Owned, Raised> {
    // SAFETY: the caller's promise; a new tuple takes the counts it is given.
    unsafe {
        list(rows.iter().map(|row| {
            let tuple = Owned::steal(py::PyTuple_New(N as isize))?;
            for (index, object) in row.iter().enumerate() {
                py::Py_INCREF(object.as_ptr());
                py::PyTuple_SET_ITEM(tuple.as_ptr(), index as isize, object.as_ptr());
            }
            Ok(tuple)
        }))
    }
}

/// From a list, for each table, of `(kind, entry, winner, hash)`.
///
/// # Safety
/// The GIL is held.
unsafe fn read_answer(question: &Question, answers: &Owned) -> Result<Answer, Raised> {
    let mut answer = Answer::default();
    for (index, table) in question.tables.iter().enumerate() {
        let new_keys: FxHashMap<isize, *mut PyObject> = table
            .entries
            .iter()
            .filter_map(|entry| Some((entry.position, entry.new_key.as_ref()?.as_ptr())))
            .collect();
        let mut edits = Vec::new();
        // SAFETY: `_answer` returns what its docstring says.
        unsafe {
            let list = py::PyList_GET_ITEM(answers.as_ptr(), index as isize);
            for index in 0..py::PyList_GET_SIZE(list) {
                let (mut kind, mut entry, mut winner, mut hash) = (0, 0, 0, 0);
                let parsed = py::PyArg_ParseTuple(
                    py::PyList_GET_ITEM(list, index),
                    c"innn".as_ptr(),
                    &raw mut kind,
                    &raw mut entry,
                    &raw mut winner,
                    &raw mut hash,
                );
                if parsed == 0 {
                    return Err(Raised);
                }
                let key = new_keys.get(&entry).copied().unwrap_or(ptr::null_mut());
                let kind: std::ffi::c_int = kind;
                let kind = kind as c::gcr_edit_kind;
                let value = ptr::null_mut();
                edits.push(c::gcr_key_edit { kind, entry, winner, hash, key, value });
            }
        }
        answer.0.push(edits);
    }
    Ok(answer)
}

/// `_entries_with(table, hashes)`: `(position, key, hash)` of each entry whose
/// stored hash is in a set.
///
/// # Safety
/// Called by CPython as a METH_VARARGS function.
pub(crate) unsafe extern "C" fn entries_with(
    _module: *mut PyObject,
    args: *mut PyObject,
) -> *mut PyObject {
    let (mut table, mut wanted) = (ptr::null_mut::<PyObject>(), ptr::null_mut::<PyObject>());
    // SAFETY: CPython passes live arguments and holds the GIL.
    let result = unsafe {
        let parsed = py::PyArg_ParseTuple(
            args,
            c"OO!:_entries_with".as_ptr(),
            &raw mut table,
            &raw mut py::PySet_Type,
            &raw mut wanted,
        );
        if parsed == 0 {
            return ptr::null_mut();
        }
        (|| {
            let mut hashes = FxHashSet::default();
            let iterator = Owned::steal(py::PyObject_GetIter(wanted))?;
            while let Ok(hash) = Owned::steal(py::PyIter_Next(iterator.as_ptr())) {
                hashes.insert(py::PyLong_AsSsize_t(hash.as_ptr()));
            }
            if !py::PyErr_Occurred().is_null() {
                return Err(Raised);
            }
            let mut found = Vec::new();
            for_each_entry(table, |position, key, hash| {
                if hashes.contains(&hash) {
                    found.push((position, Owned::borrow(key), hash));
                }
            });
            list(found.iter().map(|(position, key, hash)| {
                Owned::steal(py::Py_BuildValue(c"(nOn)".as_ptr(), *position, key.as_ptr(), *hash))
            }))
        })()
    };
    crate::api::returned(result.map(Owned::into_ptr))
}

/// `_hush(object)`: it will be freed without its `__del__` being called.
///
/// # Safety
/// Called by CPython as a METH_O function.
pub(crate) unsafe extern "C" fn hush(
    _module: *mut PyObject,
    object: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: CPython passes a live object and holds the GIL.
    unsafe {
        c::gcr_hush(object);
        Owned::borrow(py::Py_None()).into_ptr()
    }
}
