//! An ordered map whose copies share what they have in common: each instruction may keep the state before it.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::rc::Rc;

/// An ordered map. Copying it costs a reference count; adding an entry to a copy costs the logarithm of its length.
#[derive(Clone)]
pub struct SharedMap<K, V> {
    root: Tree<K, V>,
}

/// A balanced tree: the heights of two children differ by one at most.
type Tree<K, V> = Option<Rc<Node<K, V>>>;

struct Node<K, V> {
    entry: Rc<(K, V)>,
    /// Of the tree below and with this node, at most 45 for 2³² entries.
    height: u8,
    left: Tree<K, V>,
    right: Tree<K, V>,
}

impl<K, V> Clone for Node<K, V> {
    fn clone(&self) -> Self {
        Self {
            entry: Rc::clone(&self.entry),
            height: self.height,
            left: self.left.clone(),
            right: self.right.clone(),
        }
    }
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self { root: None }
    }
}

impl<K: Ord, V> SharedMap<K, V> {
    /// The value of `key`.
    #[must_use]
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let mut tree = &self.root;
        while let Some(node) = tree {
            tree = match key.cmp(node.entry.0.borrow()) {
                Ordering::Less => &node.left,
                Ordering::Greater => &node.right,
                Ordering::Equal => return Some(&node.entry.1),
            };
        }
        None
    }

    /// Whether there is an entry of `key`.
    #[must_use]
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// Sets the value of `key`; other copies keep theirs.
    pub fn insert(&mut self, key: K, value: V) {
        insert(&mut self.root, Rc::new((key, value)));
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// The entries in the order of their keys.
    #[must_use]
    pub fn iter(&self) -> Entries<'_, K, V> {
        let mut entries = Entries { above: Vec::new() };
        entries.descend(&self.root);
        entries
    }

    /// The keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }
}

/// The entries of a [`SharedMap`] in order.
pub struct Entries<'a, K, V> {
    /// Nodes that are still to come, each before what is right of it; the next one last.
    above: Vec<&'a Node<K, V>>,
}

impl<'a, K, V> Entries<'a, K, V> {
    fn descend(&mut self, mut tree: &'a Tree<K, V>) {
        while let Some(node) = tree {
            self.above.push(node);
            tree = &node.left;
        }
    }
}

impl<'a, K, V> Iterator for Entries<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let node = self.above.pop()?;
        self.descend(&node.right);
        Some((&node.entry.0, &node.entry.1))
    }
}

impl<'a, K: Ord, V> IntoIterator for &'a SharedMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Entries<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K: Ord, V: PartialEq> PartialEq for SharedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.root, &other.root) {
            (None, None) => true,
            (Some(one), Some(other)) => Rc::ptr_eq(one, other),
            _ => return false,
        };
        same || self.iter().eq(other.iter())
    }
}

impl<K: Ord, V: Eq> Eq for SharedMap<K, V> {}

impl<K: Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for SharedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

fn height<K, V>(tree: &Tree<K, V>) -> u8 {
    tree.as_ref().map_or(0, |node| node.height)
}

fn insert<K: Ord, V>(tree: &mut Tree<K, V>, entry: Rc<(K, V)>) {
    let Some(root) = tree else {
        *tree = Some(Rc::new(Node {
            entry,
            height: 1,
            left: None,
            right: None,
        }));
        return;
    };
    let node = Rc::make_mut(root);
    match entry.0.cmp(&node.entry.0) {
        Ordering::Less => insert(&mut node.left, entry),
        Ordering::Greater => insert(&mut node.right, entry),
        Ordering::Equal => node.entry = entry,
    }
    balance(root);
}

/// Makes the heights of the two children differ by one at most where they differ by two.
fn balance<K, V>(root: &mut Rc<Node<K, V>>) {
    let node = Rc::make_mut(root);
    let (left, right) = (height(&node.left), height(&node.right));
    if left > right + 1 {
        if let Some(left) = &mut node.left
            && height(&left.right) > height(&left.left)
        {
            lift_right(left);
        }
        lift_left(root);
    } else if right > left + 1 {
        if let Some(right) = &mut node.right
            && height(&right.left) > height(&right.right)
        {
            lift_left(right);
        }
        lift_right(root);
    } else {
        node.measure();
    }
}

impl<K, V> Node<K, V> {
    fn measure(&mut self) {
        self.height = 1 + height(&self.left).max(height(&self.right));
    }
}

/// Puts the left child in the place of its parent.
fn lift_left<K, V>(root: &mut Rc<Node<K, V>>) {
    let node = Rc::make_mut(root);
    let Some(mut child) = node.left.take() else {
        return;
    };
    node.left = Rc::make_mut(&mut child).right.take();
    node.measure();
    std::mem::swap(root, &mut child);
    let top = Rc::make_mut(root);
    top.right = Some(child);
    top.measure();
}

/// Puts the right child in the place of its parent.
fn lift_right<K, V>(root: &mut Rc<Node<K, V>>) {
    let node = Rc::make_mut(root);
    let Some(mut child) = node.right.take() else {
        return;
    };
    node.right = Rc::make_mut(&mut child).left.take();
    node.measure();
    std::mem::swap(root, &mut child);
    let top = Rc::make_mut(root);
    top.left = Some(child);
    top.measure();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// The height, when the tree is balanced everywhere and every height is true.
    fn checked<V>(tree: &Tree<u16, V>) -> u8 {
        let Some(node) = tree else { return 0 };
        let (left, right) = (checked(&node.left), checked(&node.right));
        assert!(left.abs_diff(right) <= 1);
        assert_eq!(node.height, 1 + left.max(right));
        node.height
    }

    #[test]
    fn sorted_keys_make_no_deep_tree() {
        let mut map = SharedMap::default();
        for key in 0..10_000_u16 {
            map.insert(key, ());
        }
        assert!(checked(&map.root) <= 15);
        assert!(map.keys().copied().eq(0..10_000));
    }

    proptest! {
        #[test]
        fn it_is_a_map_and_copies_keep_what_they_had(
            steps in prop::collection::vec((any::<u8>(), any::<u8>(), any::<bool>()), 0..200)
        ) {
            let mut model = BTreeMap::new();
            let mut map = SharedMap::default();
            let mut copies = Vec::new();
            for (key, value, copy) in steps {
                if copy {
                    copies.push((map.clone(), model.clone()));
                }
                map.insert(u16::from(key), value);
                model.insert(u16::from(key), value);
            }
            copies.push((map, model));
            for (map, model) in &copies {
                checked(&map.root);
                prop_assert!(map.iter().eq(model.iter()));
                prop_assert_eq!(map.is_empty(), model.is_empty());
                for key in 0..=256_u16 {
                    prop_assert_eq!(map.get(&key), model.get(&key));
                }
                for (other, contents) in &copies {
                    prop_assert_eq!(map == other, model == contents);
                }
            }
        }
    }
}
