//! What a build costs after a source was edited, as a developer builds all day.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::super::scratch::edit;
use super::super::{BuildError, Builder, Request};

/// A second build. Its context is a copy: it is written to.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The build in the copy.
    pub request: Request,
    /// The source file that is edited, from the root of the context.
    pub file: PathBuf,
}

/// What the second build cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebuild {
    /// How long it took.
    pub elapsed: Duration,
    /// How many steps the build has.
    pub steps: usize,
    /// How many of them were taken from the cache.
    pub reused: usize,
}

/// Builds the copy once, so that the cache knows it, edits the file and builds again.
///
/// # Errors
/// When one of the builds fails, or the file cannot be written.
pub(super) fn rebuild(
    builder: &Builder,
    again: &Edit,
    watch: &mut dyn FnMut(&[u8]),
) -> Result<Rebuild, BuildError> {
    let path = again.request.context.join(&again.file);
    let at = |source| BuildError::Scratch {
        path: path.clone(),
        source,
    };
    let whole = fs::read(&path).map_err(at)?;
    // The copy is in the cache already where the builder goes by contents alone.
    drop(builder.build(&again.request, watch)?);
    edit(&path)?;
    let built = builder.build(&again.request, watch);
    // The next image is built from the same copy.
    fs::write(&path, whole).map_err(at)?;
    let built = built?;
    let (steps, reused) = counted(&built.log);
    Ok(Rebuild {
        elapsed: built.elapsed,
        steps,
        reused,
    })
}

/// Steps of a build log, and how many of them came from the cache.
fn counted(log: &str) -> (usize, usize) {
    let mut steps = BTreeSet::new();
    let mut cached = BTreeSet::new();
    let mut reused_by_podman = 0;
    for line in log.lines() {
        if line.starts_with("--> Using cache") {
            reused_by_podman += 1;
        }
        if line.starts_with("STEP ") || line.contains("] STEP ") {
            steps.insert(line);
        }
        // BuildKit: `#7 [build 3/5] RUN …`, later `#7 CACHED`; its own errands are `[internal]`.
        let Some((number, rest)) = line.strip_prefix('#').and_then(|line| line.split_once(' '))
        else {
            continue;
        };
        if rest.starts_with('[') && !rest.starts_with("[internal]") && !rest.contains("] FROM ") {
            steps.insert(number);
        } else if rest.trim_end() == "CACHED" {
            cached.insert(number);
        }
    }
    let reused = cached.intersection(&steps).count();
    (steps.len(), reused + reused_by_podman)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_buildkit_and_podman() {
        let log = "#1 [internal] load build definition\n#1 DONE 0.0s\n#4 [build 1/4] FROM node:22\n#4 CACHED\n\
            #5 [build 2/4] COPY a b\n#5 CACHED\n#6 [build 3/4] RUN npm ci\n#6 0.3 added\n#6 DONE 2.0s\n";
        assert_eq!(counted(log), (2, 1));
        let log = "STEP 1/3: FROM a\nSTEP 2/3: COPY a b\n--> Using cache ab12\nSTEP 3/3: RUN x\n";
        assert_eq!(counted(log), (3, 1));
    }
}
