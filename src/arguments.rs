//! From what the caller passed to checked pairs and excluded holders.

use std::ffi::CStr;
use std::ops::ControlFlow;

use pyo3_ffi as py;
use pyo3_ffi::PyObject;
use rustc_hash::FxHashSet;

use crate::ffi::{self, bindings as c};
use crate::forwarding::{ForwardingMap, Pair};
use crate::object::{Owned, Raised};

/// The pairs of one call, alive as long as this is (invariant I2).
#[derive(Debug)]
pub(crate) struct Pairs {
    objects: Vec<Owned>,
    /// The pairs themselves, where the caller made them.
    items: Vec<Owned>,
    pub(crate) map: ForwardingMap,
    /// The mapping and its pairs: holders that stay as they are.
    pub(crate) holders: FxHashSet<usize>,
}

impl Pairs {
    /// # Safety
    /// The GIL is held; `mapping` is alive.
    pub(crate) unsafe fn read(mapping: *mut PyObject) -> Result<Self, Raised> {
        let (mut objects, mut given) = (Vec::new(), Vec::new());
        let mut holders = FxHashSet::from_iter([mapping as usize]);
        let mut pairs = Vec::new();
        // SAFETY: the caller's promise; every object is owned while it is used.
        unsafe {
            let items = if is_mapping(mapping)? {
                holders.extend(containers_of(mapping));
                Owned::steal(py::PyMapping_Items(mapping))?
            } else {
                Owned::borrow(mapping)
            };
            // Of anything else, it would be user code that says it.
            let length = match py::PyList_CheckExact(items.as_ptr()) {
                0 => 0,
                _ => py::PyList_GET_SIZE(items.as_ptr()) as usize,
            };
            objects.reserve(2 * length);
            pairs.reserve(length);
            if items.as_ptr() == mapping {
                given.reserve(length);
                holders.reserve(length);
            }
            each(
                items.as_ptr(),
                c"remap() takes a mapping or an iterable of (old, new) pairs",
                |item| {
                    let (old, new) = read_pair(&item)?;
                    pairs.push(Pair { old: old.as_ptr() as usize, new: new.as_ptr() as usize });
                    objects.push(old);
                    objects.push(new);
                    // The pairs of a mapping were made for this call and go with it.
                    if items.as_ptr() == mapping {
                        holders.insert(item.as_ptr() as usize);
                        given.push(item);
                    }
                    Ok(())
                },
            )?;
        }
        match ForwardingMap::new(pairs) {
            Ok(map) => Ok(Pairs { objects, items: given, map, holders }),
            Err(conflict) => {
                // SAFETY: the GIL is held, and the objects are owned.
                unsafe {
                    py::PyErr_Format(
                        py::PyExc_ValueError,
                        c"%R is mapped to two different objects, %R and %R".as_ptr(),
                        conflict.old as *mut PyObject,
                        conflict.first as *mut PyObject,
                        conflict.second as *mut PyObject,
                    );
                }
                Err(Raised)
            }
        }
    }

    /// What of the call itself refers to olds, as far as it is sure to be alive.
    pub(crate) fn items(&self) -> impl Iterator<Item = *mut PyObject> + '_ {
        self.items.iter().map(Owned::as_ptr)
    }

    /// What the pairs hold a count of, once for each.
    pub(crate) fn held(&self) -> impl Iterator<Item = *mut PyObject> + '_ {
        self.objects.iter().chain(&self.items).map(Owned::as_ptr)
    }
}

/// A map of what is in the tuple of a call, to look for it.
///
/// # Safety
/// The GIL is held; `objects` is a tuple and alive.
pub(crate) unsafe fn wanted(objects: *mut PyObject) -> Result<ForwardingMap, Raised> {
    // SAFETY: the caller's promise.
    let item = |index| unsafe { py::PyTuple_GET_ITEM(objects, index) as usize };
    // SAFETY: the caller's promise.
    let length = unsafe { py::PyTuple_GET_SIZE(objects) };
    ForwardingMap::new((0..length).map(|index| Pair { old: item(index), new: 0 }))
        .map_err(|_| Raised)
}

/// Adds the holders that `exclude` names, with their parts.
///
/// # Safety
/// The GIL is held; `exclude` is alive.
pub(crate) unsafe fn excluded(
    exclude: *mut PyObject,
    holders: &mut FxHashSet<usize>,
) -> Result<Vec<Owned>, Raised> {
    let mut kept = Vec::new();
    holders.insert(exclude as usize);
    // SAFETY: the caller's promise.
    unsafe {
        each(exclude, c"exclude must be an iterable of holders", |holder| {
            holders.insert(holder.as_ptr() as usize);
            holders.extend(parts(holder.as_ptr()));
            kept.push(holder);
            Ok(())
        })?;
    }
    Ok(kept)
}

/// The plain containers that a mapping keeps its items in: a UserDict's `data`.
///
/// # Safety
/// The GIL is held; `mapping` is alive.
unsafe fn containers_of(mapping: *mut PyObject) -> Vec<usize> {
    // SAFETY: the caller's promise; I1 while the traversals run.
    unsafe {
        let mut found = parts(mapping);
        let own = std::iter::once(mapping as usize).chain(found.clone()).collect::<Vec<_>>();
        for holder in own {
            ffi::traverse(holder as *mut PyObject, |referent| {
                if py::PyDict_CheckExact(referent) != 0 || py::PyList_CheckExact(referent) != 0 {
                    found.push(referent as usize);
                }
                ControlFlow::Continue(())
            });
        }
        found
    }
}

/// What a holder is made of: its namespace, closure, cells, defaults.
///
/// # Safety
/// The GIL is held; `holder` is alive.
unsafe fn parts(holder: *mut PyObject) -> Vec<usize> {
    const PARTS: [&CStr; 9] = [
        c".__dict__",
        c".__closure__",
        c".__defaults__",
        c".__kwdefaults__",
        c".__annotations__",
        c".__bases__",
        c".__mro__",
        c".args",
        c".keywords",
    ];
    let mut parts = Vec::new();
    // SAFETY: the caller's promise; I1 while the walk runs.
    unsafe {
        ffi::walk(holder, |slot| {
            let part = slot.load();
            if slot.name().is_some_and(|name| PARTS.contains(&name)) && part != 0 {
                parts.push(part);
                if slot.name() == Some(c".__closure__") {
                    ffi::traverse(part as *mut PyObject, |cell| {
                        parts.push(cell as usize);
                        ControlFlow::Continue(())
                    });
                }
            }
            ControlFlow::Continue(())
        });
        if py::PyType_Check(holder) != 0 {
            let namespace = c::gcr_type_namespace(holder);
            parts.push(namespace as usize);
        }
    }
    parts
}

/// # Safety
/// The GIL is held; `object` is alive.
unsafe fn is_mapping(object: *mut PyObject) -> Result<bool, Raised> {
    // SAFETY: the caller's promise.
    unsafe {
        if py::PyDict_Check(object) != 0 {
            return Ok(true);
        }
        let module = Owned::steal(py::PyImport_ImportModule(c"collections.abc".as_ptr()))?;
        let mapping =
            Owned::steal(py::PyObject_GetAttrString(module.as_ptr(), c"Mapping".as_ptr()))?;
        match py::PyObject_IsInstance(object, mapping.as_ptr()) {
            -1 => Err(Raised),
            answer => Ok(answer == 1),
        }
    }
}

/// # Safety
/// The GIL is held.
unsafe fn read_pair(item: &Owned) -> Result<(Owned, Owned), Raised> {
    // SAFETY: the caller's promise.
    unsafe {
        let item = item.as_ptr();
        if py::PyUnicode_Check(item) != 0 || py::PyBytes_Check(item) != 0 {
            return Err(not_a_pair(item));
        }
        let sides = match Owned::steal(py::PySequence_Tuple(item)) {
            Ok(sides) => sides,
            Err(Raised) if py::PyErr_ExceptionMatches(py::PyExc_TypeError) != 0 => {
                py::PyErr_Clear();
                return Err(not_a_pair(item));
            }
            Err(Raised) => return Err(Raised),
        };
        let length = py::PyTuple_GET_SIZE(sides.as_ptr());
        if length != 2 {
            py::PyErr_Format(
                py::PyExc_ValueError,
                c"a pair is (old, new), and this has %zd items: %R".as_ptr(),
                length,
                item,
            );
            return Err(Raised);
        }
        Ok((
            Owned::borrow(py::PyTuple_GET_ITEM(sides.as_ptr(), 0)),
            Owned::borrow(py::PyTuple_GET_ITEM(sides.as_ptr(), 1)),
        ))
    }
}

/// # Safety
/// The GIL is held; `item` is alive.
unsafe fn not_a_pair(item: *mut PyObject) -> Raised {
    // SAFETY: the caller's promise.
    unsafe {
        py::PyErr_Format(py::PyExc_TypeError, c"a pair is (old, new), not %R".as_ptr(), item);
    }
    Raised
}

/// Calls `take` with each item of an iterable; `sentence` is the TypeError of
/// an object that is none.
///
/// # Safety
/// The GIL is held; `iterable` is alive.
unsafe fn each(
    iterable: *mut PyObject,
    sentence: &CStr,
    mut take: impl FnMut(Owned) -> Result<(), Raised>,
) -> Result<(), Raised> {
    // SAFETY: the caller's promise.
    unsafe {
        if (*(*iterable).ob_type).tp_iter.is_none() && py::PySequence_Check(iterable) == 0 {
            py::PyErr_Format(
                py::PyExc_TypeError,
                c"%s, not %R".as_ptr(),
                sentence.as_ptr(),
                iterable,
            );
            return Err(Raised);
        }
        let iterator = Owned::steal(py::PyObject_GetIter(iterable))?;
        while let Ok(item) = Owned::steal(py::PyIter_Next(iterator.as_ptr())) {
            take(item)?;
        }
        if py::PyErr_Occurred().is_null() {
            Ok(())
        } else {
            Err(Raised)
        }
    }
}
