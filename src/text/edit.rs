//! Edits, and their composition over several generations of one text.

use std::collections::BTreeSet;

use super::Span;

/// Replaces the bytes of `span` by `text`; an empty span inserts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What goes.
    pub span: Span,
    /// What comes.
    pub text: Vec<u8>,
}

impl Edit {
    /// Puts `text` before the byte at `offset`.
    #[must_use]
    pub fn insert(offset: usize, text: impl Into<Vec<u8>>) -> Self {
        Self::replace(Span::at(offset), text)
    }

    /// Removes the bytes of `span`.
    #[must_use]
    pub fn delete(span: Span) -> Self {
        Self::replace(span, Vec::new())
    }

    /// Puts `text` in place of `span`.
    #[must_use]
    pub fn replace(span: Span, text: impl Into<Vec<u8>>) -> Self {
        Self {
            span,
            text: text.into(),
        }
    }
}

/// Two edits of one set touch the same bytes, or an edit lies outside the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("edits overlap at byte {0}")]
pub struct EditConflict(
    /// Offset at which the later edit begins.
    pub usize,
);

/// Applies edits that do not overlap, given in any order; insertions at one offset keep their order.
///
/// # Errors
/// When two edits overlap or one lies outside `source`.
pub fn apply(source: &[u8], edits: &[Edit]) -> Result<Vec<u8>, EditConflict> {
    let mut composition = Composition::new(source.len());
    composition.apply_as(0, edits)?;
    Ok(composition.render(source))
}

/// A run of bytes of the current text, and where it comes from.
#[derive(Clone, Debug)]
enum Piece {
    /// Bytes of the original.
    Original(Span),
    /// Bytes that `owner` wrote.
    Inserted { owner: usize, text: Vec<u8> },
    /// Original bytes that `owner` removed stood here.
    Removed { owner: usize },
}

impl Piece {
    fn len(&self) -> usize {
        match self {
            Piece::Original(span) => span.len(),
            Piece::Inserted { text, .. } => text.len(),
            Piece::Removed { .. } => 0,
        }
    }

    /// The two parts of this piece before and from `at`.
    fn split(self, at: usize) -> (Piece, Piece) {
        match self {
            Piece::Original(span) => (
                Piece::Original(Span::new(span.start, span.start + at)),
                Piece::Original(Span::new(span.start + at, span.end)),
            ),
            Piece::Inserted { owner, mut text } => {
                let tail = text.split_off(at);
                (
                    Piece::Inserted { owner, text },
                    Piece::Inserted { owner, text: tail },
                )
            }
            removed @ Piece::Removed { .. } => (removed.clone(), removed),
        }
    }
}

/// One changed place of the original: the composed effect of every owner that wrote there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// The edit against the original bytes.
    pub edit: Edit,
    /// Who wrote, removed or inserted here, ascending.
    pub owners: Vec<usize>,
}

/// One generation of edits under way, from the back of the text to its front.
struct Splicing {
    /// Pieces of which earlier edits may still take something, in order.
    rest: Vec<Piece>,
    /// Where `rest` ends in the text before this generation.
    end: usize,
    /// Pieces behind `rest`, the last one first.
    done: Vec<Piece>,
}

impl Splicing {
    fn splice(&mut self, owner: usize, edit: &Edit) {
        while let Some(piece) = self.rest.pop() {
            let start = self.end - piece.len();
            if start > edit.span.end || start == edit.span.end && self.end > start {
                self.done.push(piece);
                self.end = start;
            } else {
                self.rest.push(piece);
                break;
            }
        }
        // What the edit touches, the last one first, each with where it starts. A mark at the border stays with
        // what replaces it, and so does one that an edit right behind left there.
        let mut touched = Vec::new();
        if self.end == edit.span.end {
            while let Some(mark) = self.done.pop_if(|piece| piece.len() == 0) {
                touched.push((self.end, mark));
            }
            touched.reverse();
        }
        while let Some(piece) = self.rest.pop() {
            let start = self.end - piece.len();
            let is_mark = start == self.end && start == edit.span.start;
            if self.end <= edit.span.start && !is_mark {
                self.rest.push(piece);
                break;
            }
            touched.push((start, piece));
            self.end = start;
        }
        let mut head = None;
        let mut marks = Vec::new();
        let mut removed = BTreeSet::new();
        let mut tails = Vec::new();
        for (start, piece) in touched.into_iter().rev() {
            let end = start + piece.len();
            if start == end {
                marks.push(piece);
                continue;
            }
            let before = edit.span.start.saturating_sub(start);
            let (own, rest) = piece.split(before);
            if own.len() > 0 {
                head = Some(own);
            }
            let cut = edit.span.end.min(end) - (start + before);
            let (gone, tail) = rest.split(cut);
            match gone {
                Piece::Original(span) if !span.is_empty() => {
                    removed.insert(owner);
                }
                Piece::Inserted { owner: other, text } if !text.is_empty() => {
                    removed.insert(owner);
                    removed.insert(other);
                }
                _ => {}
            }
            if tail.len() > 0 {
                tails.push(tail);
            }
        }
        if let Some(head) = head {
            self.end += head.len();
            self.rest.push(head);
        }
        marks.extend(removed.into_iter().map(|owner| Piece::Removed { owner }));
        if !edit.text.is_empty() {
            marks.push(Piece::Inserted {
                owner,
                text: edit.text.clone(),
            });
        }
        self.done.extend(tails.into_iter().rev());
        self.done.extend(marks.into_iter().rev());
    }
}

/// The current text as pieces of the original and of what was inserted since.
///
/// Edits of one generation after the other, each against the text that the earlier ones left, become one
/// set of edits against the original, and every place remembers who changed it.
#[derive(Clone, Debug)]
pub struct Composition {
    pieces: Vec<Piece>,
    /// Where each piece ends in the current text.
    ends: Vec<usize>,
}

impl Composition {
    /// The unchanged text of `len` bytes.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self {
            pieces: vec![Piece::Original(Span::new(0, len))],
            ends: vec![len],
        }
    }

    /// Length of the current text in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Whether the current text is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Applies `edits`, whose spans are offsets into the current text, in the name of `owner`.
    ///
    /// # Errors
    /// When two edits overlap or one lies outside the text; nothing is applied then.
    pub fn apply_as(&mut self, owner: usize, edits: &[Edit]) -> Result<(), EditConflict> {
        let owned: Vec<(usize, &Edit)> = edits.iter().map(|edit| (owner, edit)).collect();
        self.apply(owned)
    }

    /// Applies edits of several owners, all of them against the same current text.
    ///
    /// # Errors
    /// When two edits overlap or one lies outside the text; nothing is applied then.
    pub fn apply(&mut self, mut sorted: Vec<(usize, &Edit)>) -> Result<(), EditConflict> {
        sorted.sort_by_key(|(_, edit)| (edit.span.start, edit.span.end));
        let mut end = 0;
        for (_, edit) in &sorted {
            if edit.span.start < end {
                return Err(EditConflict(edit.span.start));
            }
            end = edit.span.end;
        }
        if end > self.len() {
            return Err(EditConflict(end));
        }
        // From the back, so that the offsets of the earlier edits stay true; equal insertion points
        // are reversed by that, and come out in their order.
        let mut splicing = Splicing {
            end: self.len(),
            rest: std::mem::take(&mut self.pieces),
            done: Vec::new(),
        };
        for (owner, edit) in sorted.into_iter().rev() {
            splicing.splice(owner, edit);
        }
        let Splicing { mut rest, done, .. } = splicing;
        rest.extend(done.into_iter().rev());
        self.pieces = rest;
        self.ends.clear();
        let mut end = 0;
        self.ends.extend(self.pieces.iter().map(|piece| {
            end += piece.len();
            end
        }));
        Ok(())
    }

    /// The current text, given the original.
    #[must_use]
    pub fn render(&self, original: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        for piece in &self.pieces {
            match piece {
                Piece::Original(span) => out.extend_from_slice(span.of(original)),
                Piece::Inserted { text, .. } => out.extend_from_slice(text),
                Piece::Removed { .. } => {}
            }
        }
        out
    }

    /// Every changed place as one edit against the original, in order. Places do not touch.
    #[must_use]
    pub fn hunks(&self, original_len: usize) -> Vec<Hunk> {
        let mut hunks = Vec::new();
        let mut at = 0;
        let mut text = Vec::new();
        let mut owners = BTreeSet::new();
        let mut close =
            |from: usize, to: usize, text: &mut Vec<u8>, owners: &mut BTreeSet<usize>| {
                if !owners.is_empty() {
                    hunks.push(Hunk {
                        edit: Edit::replace(Span::new(from, to), std::mem::take(text)),
                        owners: std::mem::take(owners).into_iter().collect(),
                    });
                }
            };
        for piece in &self.pieces {
            match piece {
                Piece::Original(span) if span.is_empty() => {}
                Piece::Original(span) => {
                    close(at, span.start, &mut text, &mut owners);
                    at = span.end;
                }
                Piece::Inserted { owner, text: new } => {
                    text.extend_from_slice(new);
                    owners.insert(*owner);
                }
                Piece::Removed { owner } => {
                    owners.insert(*owner);
                }
            }
        }
        close(at, original_len, &mut text, &mut owners);
        hunks
    }

    /// The offset in the original of the byte at `offset` of the current text, or of the last one before it that was
    /// not inserted.
    #[must_use]
    pub fn last_original_offset(&self, offset: usize) -> Option<usize> {
        let holds = self.ends.partition_point(|end| *end <= offset);
        if let Some(Piece::Original(span)) = self.pieces.get(holds) {
            return Some(span.start + offset - (self.ends[holds] - span.len()));
        }
        let before = &self.pieces[..holds];
        before.iter().rev().find_map(|piece| match piece {
            Piece::Original(span) if !span.is_empty() => Some(span.end - 1),
            _ => None,
        })
    }

    /// The offset in the original of the first byte in `span` of the current text that was not inserted.
    #[must_use]
    pub fn first_original_offset(&self, span: Span) -> Option<usize> {
        let first = self.ends.partition_point(|end| *end <= span.start);
        for (piece, end) in self.pieces[first..].iter().zip(&self.ends[first..]) {
            let start = end - piece.len();
            if start >= span.end {
                break;
            }
            if let Piece::Original(original) = piece
                && !original.is_empty()
            {
                return Some(original.start + span.start.saturating_sub(start));
            }
        }
        None
    }

    /// Owners of inserted text that lies in `span` of the current text, ascending.
    #[must_use]
    pub fn owners_in(&self, span: Span) -> Vec<usize> {
        let mut owners = BTreeSet::new();
        let mut at = 0;
        for piece in &self.pieces {
            let end = at + piece.len();
            if let Piece::Inserted { owner, .. } = piece
                && span.overlaps(Span::new(at, end))
            {
                owners.insert(*owner);
            }
            at = end;
        }
        owners.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn removals_stay_where_they_are_when_earlier_text_changes() {
        let edits = [
            Edit::replace(Span::new(1, 2), "=\""),
            Edit::delete(Span::new(4, 5)),
            Edit::delete(Span::new(6, 7)),
            Edit::insert(7, "\""),
        ];
        let mut composition = Composition::new(8);
        composition
            .apply_as(0, &edits)
            .expect("they do not overlap");
        let hunks = composition.hunks(8);
        let composed: Vec<Edit> = hunks.into_iter().map(|hunk| hunk.edit).collect();
        assert_eq!(composition.render(b"A b \"c\"\n"), b"A=\"b c\"\n");
        assert_eq!(
            apply(b"A b \"c\"\n", &composed).as_deref(),
            Ok(&b"A=\"b c\"\n"[..])
        );
    }

    #[test]
    fn generations_become_edits_of_the_original() {
        let source = b"FROM a\nRUN b\nRUN c\n";
        let mut composition = Composition::new(source.len());
        composition
            .apply_as(1, &[Edit::replace(Span::new(11, 12), *b"bb")])
            .expect("one edit");
        composition
            .apply_as(2, &[Edit::replace(Span::new(12, 13), *b"x")])
            .expect("inside the text of 1");
        composition
            .apply_as(3, &[Edit::insert(7, *b"ENV k=v\n")])
            .expect("elsewhere");
        assert_eq!(
            composition.render(source),
            b"FROM a\nENV k=v\nRUN bx\nRUN c\n"
        );
        let hunks = composition.hunks(source.len());
        assert_eq!(hunks.len(), 2);
        assert_eq!(hunks[0].owners, [3]);
        assert_eq!(hunks[1].owners, [1, 2]);
        assert_eq!(hunks[1].edit, Edit::replace(Span::new(11, 12), *b"bx"));
    }

    #[test]
    fn a_removal_stays_where_it_was_when_text_before_it_changes() {
        let source = b"abcdefgh";
        let mut composition = Composition::new(source.len());
        composition
            .apply_as(0, &[Edit::delete(Span::new(5, 7))])
            .expect("one edit");
        composition
            .apply_as(1, &[Edit::delete(Span::new(1, 2)), Edit::insert(3, *b"X")])
            .expect("before it");
        let edits: Vec<Edit> = composition
            .hunks(source.len())
            .into_iter()
            .map(|hunk| hunk.edit)
            .collect();
        assert_eq!(composition.render(source), b"acXdeh");
        assert_eq!(
            apply(source, &edits).expect("hunks do not overlap"),
            b"acXdeh"
        );
    }

    #[test]
    fn overlapping_edits_are_refused() {
        let edits = [
            Edit::delete(Span::new(0, 3)),
            Edit::replace(Span::new(2, 4), *b"x"),
        ];
        assert_eq!(apply(b"abcdef", &edits), Err(EditConflict(2)));
        assert_eq!(
            apply(b"abc", &[Edit::delete(Span::new(2, 9))]),
            Err(EditConflict(9))
        );
    }

    #[test]
    fn insertions_at_one_offset_keep_their_order() {
        let edits = [Edit::insert(1, *b"x"), Edit::insert(1, *b"y")];
        assert_eq!(apply(b"ab", &edits).expect("no overlap"), b"axyb");
    }

    proptest! {
        #[test]
        fn composed_hunks_give_the_rendered_text(
            source in "[a-z]{0,30}",
            generations in prop::collection::vec((0usize..40, 0usize..6, "[A-Z]{0,4}"), 0..12),
        ) {
            let source = source.into_bytes();
            let mut composition = Composition::new(source.len());
            for (owner, (start, len, text)) in generations.into_iter().enumerate() {
                let current = composition.len();
                let start = start.min(current);
                let end = (start + len).min(current);
                composition.apply_as(owner, &[Edit::replace(Span::new(start, end), text)]).expect("one edit in range");
            }
            let edits: Vec<Edit> = composition.hunks(source.len()).into_iter().map(|hunk| hunk.edit).collect();
            prop_assert_eq!(apply(&source, &edits).expect("hunks do not overlap"), composition.render(&source));
        }
    }
}
