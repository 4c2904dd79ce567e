//! Which classes hash or compare by something that goes by a name: what `__hash__` and `__eq__`
//! read, and the functions that they call in turn.

use std::collections::HashSet;
use std::ffi::CStr;
use std::ops::ControlFlow;
use std::ptr;

use pyo3_ffi as py;
use pyo3_ffi::{PyObject, PyTypeObject, Py_ssize_t};

use crate::api::returned;
use crate::ffi::{self, bindings as c};
use crate::object::{list, Owned, Raised};
use crate::ready::ready;

/// `_compared_by(names, lru_cache, cached_property)`: the classes whose `__hash__` or `__eq__`
/// reads one of the set of names, or calls what does. The other two are types of
/// functools.
///
/// # Safety
/// Called by CPython as a METH_VARARGS function.
pub(crate) unsafe extern "C" fn compared_by(
    _module: *mut PyObject,
    args: *mut PyObject,
) -> *mut PyObject {
    let mut names = ptr::null_mut::<PyObject>();
    let mut lru_cache = ptr::null_mut::<PyTypeObject>();
    let mut cached_property = ptr::null_mut::<PyTypeObject>();
    // SAFETY: CPython passes live arguments and holds the GIL; the format has a target of its
    // type for each letter, a set and two classes; I1 until the types are owned.
    let result = unsafe {
        let class = &raw mut py::PyType_Type;
        let parsed = py::PyArg_ParseTuple(
            args,
            c"O!O!O!:_compared_by".as_ptr(),
            &raw mut py::PySet_Type,
            &raw mut names,
            class,
            &raw mut lru_cache,
            class,
            &raw mut cached_property,
        );
        if parsed == 0 {
            return ptr::null_mut();
        }
        (|| {
            ready()?;
            let mut all = Vec::new();
            if py::PySet_Size(names) > 0 {
                ffi::types(|type_| {
                    if compares_in_its_own_way(type_.cast()) {
                        all.push(Owned::borrow(type_));
                    }
                    ControlFlow::Continue(())
                });
            }
            let search = Search {
                names,
                lru_cache,
                cached_property,
                methods: [interned(c"__hash__")?, interned(c"__eq__")?],
                words: [interned(c"co_names")?, interned(c"co_freevars")?],
                constants: interned(c"co_consts")?,
                wrapped: interned(c"__wrapped__")?,
            };
            let mut found = Vec::new();
            for type_ in all {
                if search.reaches(type_.as_ptr())? {
                    found.push(Ok(type_));
                }
            }
            list(found)
        })()
    };
    returned(result.map(Owned::into_ptr))
}

/// Whether Python code may hash or compare the instances of a class: not those of C's static
/// types, and not those that object does it for.
///
/// # Safety
/// The GIL is held, and `class` is alive.
unsafe fn compares_in_its_own_way(class: *mut PyTypeObject) -> bool {
    let own = |each: *mut PyTypeObject| {
        // SAFETY: both classes are alive.
        let (hash, compare) = unsafe { ((*each).tp_hash, (*each).tp_richcompare) };
        (hash.map(|code| code as usize), compare.map(|code| code as usize))
    };
    // SAFETY: the caller's promise.
    unsafe { is_of_the_heap(class) && own(class) != own(&raw mut py::PyBaseObject_Type) }
}

/// # Safety
/// The GIL is held, and `class` is alive.
unsafe fn is_of_the_heap(class: *mut PyTypeObject) -> bool {
    // SAFETY: the caller's promise.
    unsafe { py::PyType_HasFeature(class, py::Py_TPFLAGS_HEAPTYPE) != 0 }
}

struct Search {
    names: *mut PyObject,
    lru_cache: *mut PyTypeObject,
    cached_property: *mut PyTypeObject,
    methods: [Owned; 2],
    words: [Owned; 2],
    constants: Owned,
    wrapped: Owned,
}

/// The functions that are still to be looked at.
#[derive(Default)]
struct Calls {
    seen: HashSet<usize>,
    /// Kept alive, so that no address comes again.
    functions: Vec<Owned>,
}

impl Search {
    /// Whether a class compares by one of the names.
    ///
    /// # Safety
    /// The GIL is held, and `class` is a class that is alive.
    unsafe fn reaches(&self, class: *mut PyObject) -> Result<bool, Raised> {
        let mut calls = Calls::default();
        // SAFETY: the caller's promise; the namespaces live as long as the tuple of classes does,
        // which is owned; a function has code and globals.
        unsafe {
            let ancestors = Owned::borrow((*class.cast::<PyTypeObject>()).tp_mro);
            let namespaces = elements(&ancestors)
                .filter(|each| is_of_the_heap(each.cast()))
                .map(|each| Owned::borrow(c::gcr_type_namespace(each)))
                .collect::<Vec<_>>();
            for method in &self.methods {
                for namespace in &namespaces {
                    if let Some(value) = item(namespace.as_ptr(), method.as_ptr())? {
                        self.add(value, &mut calls)?;
                        break; // it hides those of further bases
                    }
                }
            }
            let mut next = 0;
            while let Some(function) = calls.functions.get(next).map(Owned::as_ptr) {
                next += 1;
                let globals = Owned::borrow(py::PyFunction_GetGlobals(function));
                let mut codes = vec![Owned::borrow(py::PyFunction_GetCode(function))];
                while let Some(code) = codes.pop() {
                    for attribute in &self.words {
                        let used = attribute_of(&code, attribute)?;
                        for name in elements(&used) {
                            match py::PySet_Contains(self.names, name) {
                                0 => {}
                                1 => return Ok(true),
                                _ => return Err(Raised),
                            }
                            for place in std::iter::once(&globals).chain(&namespaces) {
                                if let Some(value) = item(place.as_ptr(), name)? {
                                    self.add(value, &mut calls)?;
                                }
                            }
                        }
                    }
                    let constants = attribute_of(&code, &self.constants)?;
                    let inner = elements(&constants).filter(|each| py::PyCode_Check(*each) != 0);
                    codes.extend(inner.map(|each| Owned::borrow(each)));
                }
            }
        }
        Ok(false)
    }

    /// Adds the functions that a call of `value`, or a look at an attribute that it makes, runs.
    ///
    /// # Safety
    /// The GIL is held.
    unsafe fn add(&self, value: Owned, calls: &mut Calls) -> Result<(), Raised> {
        // SAFETY: the caller's promise; `value` is owned.
        unsafe {
            let is = |wanted| py::PyObject_TypeCheck(value.as_ptr(), wanted) != 0;
            let inside =
                if is(&raw mut py::PyStaticMethod_Type) || is(&raw mut py::PyClassMethod_Type) {
                    Some(c"__func__")
                } else if is(&raw mut py::PyProperty_Type) {
                    Some(c"fget")
                } else if is(self.cached_property) {
                    Some(c"func")
                } else {
                    None
                };
            let mut value = match inside {
                Some(attribute) => attribute_of(&value, &interned(attribute)?)?,
                None => value,
            };
            loop {
                let is_function = py::PyFunction_Check(value.as_ptr()) != 0;
                let runs =
                    is_function || py::PyObject_TypeCheck(value.as_ptr(), self.lru_cache) != 0;
                if !runs || !calls.seen.insert(value.as_ptr() as usize) {
                    return Ok(());
                }
                let wrapped = py::PyObject_GenericGetAttr(value.as_ptr(), self.wrapped.as_ptr());
                let wrapped = match Owned::steal(wrapped) {
                    Ok(wrapped) => Some(wrapped),
                    Err(Raised) if py::PyErr_ExceptionMatches(py::PyExc_AttributeError) != 0 => {
                        py::PyErr_Clear();
                        None
                    }
                    Err(Raised) => return Err(Raised),
                };
                if is_function {
                    calls.functions.push(value);
                }
                match wrapped {
                    Some(wrapped) => value = wrapped,
                    None => return Ok(()),
                }
            }
        }
    }
}

/// # Safety
/// The GIL is held.
unsafe fn interned(text: &CStr) -> Result<Owned, Raised> {
    // SAFETY: the caller's promise.
    unsafe { Owned::steal(py::PyUnicode_InternFromString(text.as_ptr())) }
}

/// # Safety
/// The GIL is held.
unsafe fn attribute_of(object: &Owned, name: &Owned) -> Result<Owned, Raised> {
    // SAFETY: the caller's promise.
    unsafe { Owned::steal(py::PyObject_GetAttr(object.as_ptr(), name.as_ptr())) }
}

/// What a dict has for a key, if anything.
///
/// # Safety
/// The GIL is held, and both are alive.
unsafe fn item(dict: *mut PyObject, key: *mut PyObject) -> Result<Option<Owned>, Raised> {
    // SAFETY: the caller's promise.
    unsafe {
        let found = py::PyDict_GetItemWithError(dict, key);
        if !found.is_null() {
            return Ok(Some(Owned::borrow(found)));
        }
        if py::PyErr_Occurred().is_null() {
            Ok(None)
        } else {
            Err(Raised)
        }
    }
}

/// # Safety
/// The GIL is held, and it is a tuple.
unsafe fn elements(tuple: &Owned) -> impl Iterator<Item = *mut PyObject> + '_ {
    // SAFETY: the caller's promise.
    let count: Py_ssize_t = unsafe { py::PyTuple_GET_SIZE(tuple.as_ptr()) };
    // SAFETY: the caller's promise, and the index is within the size.
    (0..count).map(|index| unsafe { py::PyTuple_GET_ITEM(tuple.as_ptr(), index) })
}
