//! Sorted rows and how they are found.

/// A row that is found by a text.
pub(crate) trait Keyed: Copy + 'static {
    /// The text it is found by, unique in its table.
    fn key(&self) -> &'static str;
}

/// An embedded table, sorted by key, with the user's rows over it.
#[derive(Clone, Debug)]
pub(crate) struct Table<T: 'static> {
    embedded: &'static [T],
    overlay: Vec<T>,
}

impl<T: Keyed> Table<T> {
    pub(crate) const fn new(embedded: &'static [T]) -> Self {
        Self {
            embedded,
            overlay: Vec::new(),
        }
    }

    /// Adds rows of the user's; a later row with the same key wins, and any of them wins over an embedded one.
    pub(crate) fn add(&mut self, rows: impl IntoIterator<Item = T>) {
        for row in rows {
            match self
                .overlay
                .binary_search_by(|probe| probe.key().cmp(row.key()))
            {
                Ok(at) => self.overlay[at] = row,
                Err(at) => self.overlay.insert(at, row),
            }
        }
    }

    /// The row with this key.
    pub(crate) fn get(&self, key: &str) -> Option<&T> {
        find(&self.overlay, key).or_else(|| find(self.embedded, key))
    }

    /// The user's rows, then the embedded ones that none of them replaces.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        let is_own = |row: &&T| find(&self.overlay, row.key()).is_none();
        self.overlay
            .iter()
            .chain(self.embedded.iter().filter(is_own))
    }

    /// The embedded rows in the order of their keys.
    pub(crate) fn embedded(&self) -> &'static [T] {
        self.embedded
    }
}

fn find<'a, T: Keyed>(rows: &'a [T], key: &str) -> Option<&'a T> {
    rows.binary_search_by(|probe| probe.key().cmp(key))
        .ok()
        .map(|at| &rows[at])
}
