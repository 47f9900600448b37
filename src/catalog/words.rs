//! Sets of words that rules ask for by name.

use super::{Catalog, Text};

macro_rules! sets {
    ($($(#[$meta:meta])* $set:ident = $name:literal,)*) => {
        /// A set of words; what it holds, and what for, stands in `word_sets.yaml`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum WordSet {
            $($(#[$meta])* $set,)*
        }

        impl WordSet {
            /// Every set.
            pub const ALL: &'static [WordSet] = &[$(WordSet::$set),*];

            /// The key of its row.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(WordSet::$set => $name,)*
                }
            }
        }
    };
}

sets! {
    /// Debian packages that are there to build with, or that distroless and slim images make up for.
    BuildPackages = "build-packages",
    /// Programs that other programs build or fetch with, and that write only where they are told.
    CodeGenerators = "code-generators",
    /// Debian packages that compile, or help to.
    CompilerPackages = "compiler-packages",
    /// Programs that compile: large, and a stage of their own keeps them out of the image.
    CompilerPrograms = "compiler-programs",
    /// Debian packages that fetch: kept unless a build command is the one that calls them.
    DownloadPackages = "download-packages",
    /// Packages of npm that are installed by name and run nothing then, with all that they depend on.
    GlobalPackages = "global-packages",
    /// Variables of pip that change neither where packages come from nor which file of a version is taken.
    HarmlessPipVariables = "harmless-pip-variables",
    /// Programs named by a path, or scripts, that install no packages of the distribution.
    HarmlessScripts = "harmless-scripts",
    /// Debian packages with headers and without a library.
    HeaderPackages = "header-packages",
    /// Files that hold a key or a password, by their names.
    KeyFiles = "key-files",
    /// Programs that read apt's package lists and do not fetch them.
    ListReaders = "list-readers",
    /// Packages that every release of Debian and Ubuntu since 2014 has under this name.
    LongLivedPackages = "long-lived-packages",
    /// Beginnings of Debian packages that put alternatives into folders which slim images leave out, so that they
    /// fail to install there.
    ManPagePackages = "man-page-packages",
    /// Beginnings of the names of such files.
    NodeBuildFileBeginnings = "node-build-file-beginnings",
    /// Files at the top of a Node project that nothing opens when it runs.
    NodeBuildFiles = "node-build-files",
    /// Folders that belong to root with mode 0755, and are no links, in every image with a file system of Linux.
    PlainFolders = "plain-folders",
    /// Words beside those that say it is none: a public key, the place or the kind of a secret.
    SecretNegations = "secret-negations",
    /// Words in names of variables that stand for a secret, as BuildKit's own check has them, taken apart at `_`.
    SecretWords = "secret-words",
    /// Debian packages of daemons: what starts them is not seen by the environment's PATH.
    ServicePackages = "service-packages",
    /// Programs that are a shell.
    Shells = "shells",
    /// Libraries whose packages have had one name in every Debian and Ubuntu release of the last years.
    StableLibraries = "stable-libraries",
    /// Addresses from which compilers and build tools are fetched.
    ToolchainHosts = "toolchain-hosts",
    /// Top-level folders of the file system's standard, and Go's; any other one was made by a Dockerfile.
    TopFolders = "top-folders",
}

impl Catalog {
    /// The words of a set; the catalog's own are sorted. Empty only where a user's row says so: a test holds sets and
    /// rows together.
    pub fn words(&self, set: WordSet) -> &[Text] {
        let row = self.inner.word_sets.get(set.name());
        row.map_or(&[], |row| row.words.get())
    }

    /// Whether `word` is one of a set.
    pub fn has_word(&self, set: WordSet, word: &str) -> bool {
        // A user's row need not be sorted.
        self.words(set).iter().any(|known| *known == *word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_has_a_row_and_every_row_a_set() {
        let catalog = Catalog::default();
        for set in WordSet::ALL {
            let words = catalog.words(*set);
            assert!(!words.is_empty(), "{}", set.name());
            assert!(
                words.is_sorted_by(|one, next| **one < **next),
                "{}",
                set.name()
            );
        }
        assert_eq!(super::super::embedded::WORD_SETS.len(), WordSet::ALL.len());
    }
}
