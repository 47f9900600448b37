//! The script of an instruction, read when first asked for, and kept while edits elsewhere in the file move it.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use super::packages::{self, PackageOperation, Shape};
use crate::catalog::Catalog;
use crate::shell::Script;

/// What is known of the script of one instruction.
#[derive(Debug, Default)]
pub(super) struct Reading {
    script: OnceCell<Option<Rc<Read>>>,
    /// What was known before an edit, and by how many bytes the instruction moved since.
    earlier: RefCell<Option<(Option<Rc<Read>>, isize)>>,
}

/// A script, and the package operations in it.
#[derive(Clone, Debug)]
struct Read {
    script: Script,
    shapes: OnceCell<Vec<Shape>>,
}

impl Reading {
    /// The same for an instruction that reads the same and stands `distance` bytes further down.
    pub(super) fn moved(&self, distance: isize) -> Self {
        let earlier = match self.script.get() {
            Some(known) => Some((known.clone(), distance)),
            None => {
                let earlier = self.earlier.borrow().clone();
                earlier.map(|(known, before)| (known, before + distance))
            }
        };
        Self {
            script: OnceCell::new(),
            earlier: RefCell::new(earlier),
        }
    }

    /// The script, which `parse` gives when nothing is known.
    pub(super) fn script(&self, parse: impl FnOnce() -> Option<Script>) -> Option<&Script> {
        self.read(parse).map(|read| &read.script)
    }

    /// The package operations of the script.
    pub(super) fn operations(
        &self,
        parse: impl FnOnce() -> Option<Script>,
        catalog: &Catalog,
    ) -> Vec<PackageOperation<'_>> {
        self.read(parse).map_or_else(Vec::new, |read| {
            let shapes = || packages::shapes(&read.script, catalog);
            packages::operations(&read.script, read.shapes.get_or_init(shapes))
        })
    }

    fn read(&self, parse: impl FnOnce() -> Option<Script>) -> Option<&Read> {
        let read = || match self.earlier.take() {
            Some((mut known, distance)) => {
                if let Some(read) = known.as_mut().filter(|_| distance != 0) {
                    // The model before the edit is gone by now as a rule: nothing is copied.
                    Rc::make_mut(read).script.shift(distance);
                }
                known
            }
            None => parse().map(|script| {
                Rc::new(Read {
                    script,
                    shapes: OnceCell::new(),
                })
            }),
        };
        self.script.get_or_init(read).as_deref()
    }
}
