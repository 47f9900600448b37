//! The texts of a project, for rules that ask whether anything names a file or a program.

use crate::catalog::{Catalog, WordSet};
use crate::context::{Context, Entry};

/// What is read at most before the answer is "someone may read it".
const MOST_FILES: usize = 600;
const MOST_BYTES: u64 = 6 << 20;

/// The texts of the build context, as far as they are looked at.
pub(super) struct ContextTexts {
    /// Contents of files that hold code or settings.
    pub(super) texts: Vec<String>,
    /// Whether these are all.
    pub(super) complete: bool,
}

impl ContextTexts {
    /// Reads all but lock files, installed packages, history, and what `skip` names.
    pub(super) fn read(catalog: &Catalog, context: &Context, skip: impl Fn(&str) -> bool) -> Self {
        let mut found = Self {
            texts: Vec::new(),
            complete: !context.truncated(),
        };
        let mut left = MOST_BYTES;
        for (path, entry) in context.visible() {
            let Entry::File { size, .. } = entry else {
                continue;
            };
            let name = path.rsplit('/').next().unwrap_or(path);
            let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
            let is_text = catalog.has_word(WordSet::TextEndings, ending) || !name.contains('.');
            let is_lock = name.contains("lock")
                || path.contains("node_modules/")
                || path.starts_with(".git/");
            if !is_text || is_lock || skip(path) {
                continue;
            }
            if found.texts.len() > MOST_FILES || *size > left {
                found.complete = false;
                break;
            }
            left -= size;
            found.texts.extend(context.read_str(path));
        }
        found
    }
}
