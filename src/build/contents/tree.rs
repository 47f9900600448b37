//! The file system of an image: its layers, one on the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::layer::{Entry, Facts, Kind, Node, What};

/// A chain of symbolic links is followed no further than the kernel does.
const MOST_LINKS: usize = 40;

/// What stands where in an image.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// By path, without a slash in front; the root has none.
    nodes: BTreeMap<Box<str>, Node>,
}

/// Who a process runs as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user id.
    pub user: u32,
    /// The group id, and those of further groups.
    pub groups: Vec<u32>,
}

/// Why a path leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Nothing stands at this path, which is the one that was asked for or a part of it.
    Absent(String),
    /// Links lead in a circle.
    Circle,
}

/// What a process wants to do with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read it, or list it.
    Read,
    /// Run it, or pass through it.
    Execute,
}

impl Access {
    const fn bit(self) -> u32 {
        match self {
            Access::Read => 4,
            Access::Execute => 1,
        }
    }
}

impl Tree {
    /// Puts a layer on top: first what it takes away, then what it brings.
    pub(super) fn stack(&mut self, layer: Vec<Entry>) {
        for entry in &layer {
            match entry.what {
                What::Whiteout => {
                    self.nodes.remove(&entry.path);
                    self.remove_below(&entry.path);
                }
                What::Opaque => self.remove_below(&entry.path),
                What::Node(_) | What::HardLink(_) => {}
            }
        }
        for Entry { path, what } in layer {
            let node = match what {
                What::Node(node) => node,
                What::HardLink(target) => match self.nodes.get(&target) {
                    Some(node) => node.clone(),
                    None => continue,
                },
                What::Whiteout | What::Opaque => continue,
            };
            if path.is_empty() {
                continue;
            }
            if node.kind != Kind::Folder && self.is_folder(&path) {
                self.remove_below(&path);
            }
            self.with_parents(&path);
            self.nodes.insert(path, node);
        }
    }

    /// Archives made by hand leave folders out.
    fn with_parents(&mut self, path: &str) {
        for (at, _) in path.rmatch_indices('/') {
            let folder = &path[..at];
            if self.nodes.contains_key(folder) {
                return;
            }
            let usual = Node {
                kind: Kind::Folder,
                mode: 0o755,
                user: 0,
                group: 0,
            };
            self.nodes.insert(folder.into(), usual);
        }
    }

    fn remove_below(&mut self, folder: &str) {
        if folder.is_empty() {
            self.nodes.clear();
            return;
        }
        let below: Vec<Box<str>> = self.below(folder).map(|(path, _)| path.into()).collect();
        for path in below {
            self.nodes.remove(&path);
        }
    }

    fn is_folder(&self, path: &str) -> bool {
        matches!(self.nodes.get(path), Some(node) if node.kind == Kind::Folder)
    }

    /// Everything, by path.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (&**path, node))
    }

    /// Everything below the folder, not the folder itself.
    pub fn below<'t>(&'t self, folder: &str) -> impl Iterator<Item = (&'t str, &'t Node)> {
        // `0` is the character behind `/`.
        let (from, to) = match folder {
            "" => (Box::from(""), Box::from("\u{10ffff}")),
            folder => (
                format!("{folder}/").into_boxed_str(),
                format!("{folder}0").into_boxed_str(),
            ),
        };
        let range = self.nodes.range::<Box<str>, _>(from..to);
        range.map(|(path, node)| (&**path, node))
    }

    /// What stands exactly here, without following a link; the path has no slash in front.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// As [`Tree::get`], with the path as the tree holds it.
    pub(super) fn entry(&self, path: &str) -> Option<(&str, &Node)> {
        let (path, node) = self.nodes.get_key_value(path)?;
        Some((path, node))
    }

    /// Follows all links of an absolute path: the path where the thing really is, without a slash in front.
    ///
    /// # Errors
    /// Where it leads nowhere.
    pub fn resolve(&self, path: &str) -> Result<String, Lost> {
        let mut rest: Vec<String> = parts(path).rev().collect();
        let mut here = String::new();
        let mut links = 0;
        while let Some(part) = rest.pop() {
            if part == ".." {
                here.truncate(here.rfind('/').unwrap_or(0));
                continue;
            }
            let length = here.len();
            if length > 0 {
                here.push('/');
            }
            here.push_str(&part);
            match self.nodes.get(here.as_str()).map(|node| &node.kind) {
                None => return Err(Lost::Absent(format!("/{here}"))),
                Some(Kind::Link(target)) => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Lost::Circle);
                    }
                    here.truncate(if target.starts_with('/') { 0 } else { length });
                    rest.extend(parts(target).rev());
                }
                Some(_) => {}
            }
        }
        Ok(here)
    }

    /// The node at an absolute path, links followed; none for the root, which always is.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<(String, &Node)> {
        let path = self.resolve(path).ok()?;
        let node = self.nodes.get(path.as_str())?;
        Some((path, node))
    }

    /// Whether a regular file stands at the absolute path, links followed.
    #[must_use]
    pub fn is_file(&self, path: &str) -> bool {
        self.find(path)
            .is_some_and(|(_, node)| matches!(node.kind, Kind::File { .. }))
    }

    /// Whether something stands at the absolute path, links followed.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        self.resolve(path).is_ok()
    }

    /// What was read of the file at the absolute path.
    #[must_use]
    pub fn facts(&self, path: &str) -> Option<&Arc<Facts>> {
        let (_, node) = self.find(path)?;
        node.facts()
    }

    /// The file at the absolute path as text, where it is one that is kept.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<String> {
        match &**self.facts(path)? {
            Facts::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }

    /// The first path, from the root down, at which `who` is turned away from `path` (links followed); none when it has
    /// access. What does not exist turns nobody away.
    #[must_use]
    pub fn denies(&self, who: &Identity, path: &str, access: Access) -> Option<String> {
        let real = self.resolve(path).ok()?;
        for (at, _) in real.match_indices('/') {
            let folder = self.nodes.get(&real[..at])?;
            if !may(who, folder, Access::Execute) {
                return Some(format!("/{}", &real[..at]));
            }
        }
        let node = self.nodes.get(real.as_str())?;
        (!may(who, node, access)).then(|| format!("/{real}"))
    }

    /// Who USER of an image, `user`, `user:group` or nothing, is by the accounts of the image.
    ///
    /// # Errors
    /// The user or the group that there is none of.
    pub fn identity(&self, user: &str) -> Result<Identity, String> {
        let passwd = self.text("/etc/passwd").unwrap_or_default();
        let groups = self.text("/etc/group").unwrap_or_default();
        let (name, group) = match user.split_once(':') {
            Some((name, group)) => (name, Some(group).filter(|group| !group.is_empty())),
            None => (user, None),
        };
        let name = if name.is_empty() { "0" } else { name };
        let id: Option<u32> = name.parse().ok();
        let account = passwd.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [login, _, user, group, ..] = fields[..] else {
                return None;
            };
            let (user, group) = (user.parse::<u32>().ok()?, group.parse::<u32>().ok()?);
            (login == name || Some(user) == id).then(|| (login.to_owned(), user, group))
        });
        let (login, user, own) = match (account, id) {
            (Some((login, user, group)), _) => (Some(login), user, group),
            (None, Some(id)) => (None, id, 0),
            (None, None) => return Err(format!("there is no user `{name}` in /etc/passwd")),
        };
        let rows = || {
            groups.lines().filter_map(|line| {
                let fields: Vec<&str> = line.split(':').collect();
                let [name, _, id, ref members @ ..] = fields[..] else {
                    return None;
                };
                let members = members.first().copied().unwrap_or_default();
                Some((name, id.parse::<u32>().ok()?, members))
            })
        };
        let first = match group {
            None => own,
            Some(group) => match group.parse() {
                Ok(id) => id,
                Err(_) => rows()
                    .find(|(name, ..)| *name == group)
                    .map(|(_, id, _)| id)
                    .ok_or_else(|| format!("there is no group `{group}` in /etc/group"))?,
            },
        };
        let mut all = vec![first];
        // A group that is named replaces the others.
        if let (Some(login), None) = (login, group) {
            all.extend(
                rows()
                    .filter(|(.., members)| members.split(',').any(|member| member == login))
                    .map(|(_, id, _)| id),
            );
        }
        Ok(Identity { user, groups: all })
    }
}

impl Node {
    /// What was read of it.
    #[must_use]
    pub fn facts(&self) -> Option<&Arc<Facts>> {
        match &self.kind {
            Kind::File { facts, .. } => facts.as_ref(),
            _ => None,
        }
    }
}

/// Whether the permissions of `node` let `who` in.
fn may(who: &Identity, node: &Node, access: Access) -> bool {
    if who.user == 0 {
        // Root reads everything, and runs what anyone may run.
        return access == Access::Read || node.kind == Kind::Folder || node.mode & 0o111 != 0;
    }
    let shift = if node.user == who.user {
        6
    } else if who.groups.contains(&node.group) {
        3
    } else {
        0
    };
    node.mode >> shift & access.bit() != 0
}

fn parts(path: &str) -> impl DoubleEndedIterator<Item = String> + '_ {
    path.split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(kind: Kind, mode: u32, owner: u32) -> Node {
        Node {
            kind,
            mode,
            user: owner,
            group: owner,
        }
    }

    fn file(facts: Option<Facts>) -> Kind {
        Kind::File {
            size: 1,
            hash: [1; 32],
            facts: facts.map(Arc::new),
        }
    }

    fn entry(path: &str, what: What) -> Entry {
        Entry {
            path: path.into(),
            what,
        }
    }

    fn plain(path: &str) -> Entry {
        entry(path, What::Node(node(file(None), 0o644, 0)))
    }

    fn folder(path: &str) -> Entry {
        entry(path, What::Node(node(Kind::Folder, 0o755, 0)))
    }

    fn link(path: &str, target: &str) -> Entry {
        entry(path, What::Node(node(Kind::Link(target.into()), 0o777, 0)))
    }

    fn paths(tree: &Tree) -> Vec<&str> {
        tree.all().map(|(path, _)| path).collect()
    }

    #[test]
    fn what_a_layer_takes_away_is_of_the_layers_below() {
        let mut tree = Tree::default();
        tree.stack(vec![
            folder("a"),
            plain("a/1"),
            plain("a/2"),
            folder("b"),
            plain("b/1"),
            plain("b-c"),
        ]);
        tree.stack(vec![
            // The new file comes before the mark that empties its folder.
            plain("a/3"),
            entry("a", What::Opaque),
            entry("b", What::Whiteout),
        ]);
        assert_eq!(paths(&tree), ["a", "a/3", "b-c"]);
    }

    #[test]
    fn a_file_in_place_of_a_folder_ends_what_was_in_it() {
        let mut tree = Tree::default();
        tree.stack(vec![folder("a"), plain("a/1"), plain("a0")]);
        tree.stack(vec![link("a", "a0")]);
        assert_eq!(paths(&tree), ["a", "a0"]);
        assert!(tree.is_file("/a"));
    }

    #[test]
    fn hard_links_are_the_file_they_name() {
        let mut tree = Tree::default();
        tree.stack(vec![
            folder("bin"),
            plain("bin/x"),
            entry("bin/y", What::HardLink("bin/x".into())),
        ]);
        tree.stack(vec![
            entry("bin/z", What::HardLink("bin/x".into())),
            entry("bin/x", What::Whiteout),
        ]);
        assert_eq!(
            paths(&tree),
            ["bin", "bin/y"],
            "a link to what the same layer removes leads nowhere"
        );
    }

    #[test]
    fn links_are_followed_in_the_image_and_never_out_of_it() {
        let mut tree = Tree::default();
        tree.stack(vec![
            link("bin", "usr/bin"),
            folder("usr"),
            folder("usr/bin"),
            plain("usr/bin/dash"),
            link("usr/bin/sh", "dash"),
            link("loop", "/loop"),
            link("up", "../../../usr/bin/sh"),
            link("gone", "/nowhere/x"),
        ]);
        assert_eq!(tree.resolve("/bin/sh").as_deref(), Ok("usr/bin/dash"));
        assert_eq!(tree.resolve("/up").as_deref(), Ok("usr/bin/dash"));
        assert_eq!(tree.resolve("/loop"), Err(Lost::Circle));
        assert_eq!(
            tree.resolve("/gone"),
            Err(Lost::Absent("/nowhere".to_owned()))
        );
        assert_eq!(tree.resolve("/").as_deref(), Ok(""));
    }

    #[test]
    fn who_may_do_what() {
        let mut tree = Tree::default();
        let text = |text: &str| {
            What::Node(node(
                file(Some(Facts::Text(text.as_bytes().into()))),
                0o644,
                0,
            ))
        };
        tree.stack(vec![
            entry(
                "etc/passwd",
                text("root:x:0:0::/:/bin/sh\napp:x:100:101::/:/bin/sh\n"),
            ),
            entry("etc/group", text("app:x:101:\nextra:x:7:app\n")),
            entry("srv", What::Node(node(Kind::Folder, 0o750, 7))),
            plain("srv/x"),
            entry("run", What::Node(node(file(None), 0o644, 0))),
        ]);
        let app = tree.identity("app").expect("there is one");
        assert_eq!(
            app,
            Identity {
                user: 100,
                groups: vec![101, 7]
            }
        );
        assert_eq!(tree.denies(&app, "/srv/x", Access::Read), None);
        let named = tree.identity("app:app").expect("there is one");
        assert_eq!(
            tree.denies(&named, "/srv/x", Access::Read).as_deref(),
            Some("/srv")
        );
        let root = tree.identity("").expect("there is one");
        assert_eq!(tree.denies(&root, "/srv/x", Access::Read), None);
        assert_eq!(
            tree.denies(&root, "/run", Access::Execute).as_deref(),
            Some("/run")
        );
        assert_eq!(tree.identity("10001").map(|it| it.groups), Ok(vec![0]));
        assert_eq!(
            tree.identity("web").expect_err("there is none"),
            "there is no user `web` in /etc/passwd"
        );
        assert!(tree.identity("app:web").is_err());
    }
}
