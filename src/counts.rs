//! How many references to each old there are, and how many of them are found: what
//! tells the search when to stop.

use pyo3_ffi::PyObject;

use crate::forwarding::{ForwardingMap, Pair};

#[derive(Debug)]
pub(crate) struct Counts {
    /// By pair: counts of the old, those of the engine aside.
    counted: Vec<usize>,
    /// By pair: how many of them slots explain.
    explained: Vec<usize>,
    /// How many pairs differ in the two.
    open: usize,
}

impl Counts {
    /// `held`: what the engine itself holds a count of, once for each.
    ///
    /// # Safety
    /// I1, and the olds are alive.
    pub(crate) unsafe fn new(
        map: &ForwardingMap,
        held: impl Iterator<Item = *mut PyObject>,
    ) -> Self {
        // SAFETY: the caller's promise.
        let count = |pair: &Pair| unsafe { pyo3_ffi::Py_REFCNT(pair.old as *mut PyObject) };
        let mut counted: Vec<usize> =
            map.pairs().iter().map(|pair| usize::try_from(count(pair)).unwrap_or(0)).collect();
        for object in held {
            if let Some(pair) = map.find(object as usize) {
                counted[pair] = counted[pair].saturating_sub(1);
            }
        }
        Counts {
            open: counted.iter().filter(|&&count| count > 0).count(),
            explained: vec![0; counted.len()],
            counted,
        }
    }

    /// `count` references to the old of `pair` are found.
    pub(crate) fn explain(&mut self, pair: usize, count: usize) {
        let before = self.explained[pair] != self.counted[pair];
        self.explained[pair] += count;
        let after = self.explained[pair] != self.counted[pair];
        self.open = self.open - usize::from(before) + usize::from(after);
    }

    /// Whether the count of an old is another than that of the slots found: more are to
    /// be found, or the count proves nothing.
    pub(crate) fn are_open(&self) -> bool {
        self.open > 0
    }

    /// By pair: counts of the old that no slot explains.
    pub(crate) fn rest(&self) -> Vec<usize> {
        let pairs = self.counted.iter().zip(&self.explained);
        pairs.map(|(counted, explained)| counted.saturating_sub(*explained)).collect()
    }
}
