use crate::text::Span;

/// The text of an instruction as BuildKit joins it (continuations, comment lines and blank lines between
/// them removed), and where each of its bytes stands in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logical {
    text: Vec<u8>,
    /// Runs that are contiguous in the file: (offset in `text`, offset in the file), ascending.
    runs: Vec<(usize, usize)>,
}

impl Logical {
    /// Adds bytes that stand at `source_start` in the file.
    pub(crate) fn push(&mut self, bytes: &[u8], source_start: usize) {
        if bytes.is_empty() {
            return;
        }
        let contiguous = self
            .runs
            .last()
            .is_some_and(|(text, source)| source + (self.text.len() - text) == source_start);
        if !contiguous {
            self.runs.push((self.text.len(), source_start));
        }
        self.text.extend_from_slice(bytes);
    }

    /// The joined bytes.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether there is no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The offset in the file of the byte at `offset` of the joined text; for the end of the text, one past its last byte.
    #[must_use]
    pub fn source_offset(&self, offset: usize) -> usize {
        // Most texts are one run.
        if let [(text, source)] = self.runs.as_slice() {
            return source + (offset - text);
        }
        let index = self.runs.partition_point(|(text, _)| *text <= offset);
        match index.checked_sub(1).map(|index| self.runs[index]) {
            Some((text, source)) => source + (offset - text),
            None => 0,
        }
    }

    /// The range in the file from the first to the last byte of `span` of the joined text.
    #[must_use]
    pub fn source_span(&self, span: Span) -> Span {
        let start = self.source_offset(span.start);
        if span.is_empty() {
            return Span::at(start);
        }
        Span::new(start, self.source_offset(span.end - 1) + 1)
    }

    /// The offset in the joined text of the byte at `offset` of the file, if it is part of the text.
    #[must_use]
    pub fn logical_offset(&self, offset: usize) -> Option<usize> {
        self.runs
            .iter()
            .enumerate()
            .find_map(|(index, (text, source))| {
                let end = self
                    .runs
                    .get(index + 1)
                    .map_or(self.text.len(), |(next, _)| *next);
                (*source..source + (end - text))
                    .contains(&offset)
                    .then(|| text + offset - source)
            })
    }

    /// Offsets in the joined text at which a continuation was removed.
    pub fn breaks(&self) -> impl Iterator<Item = usize> + '_ {
        self.runs.iter().skip(1).map(|(text, _)| *text)
    }

    /// Whether the bytes of `span` of the joined text stand side by side in the file: no continuation between them.
    #[must_use]
    pub fn is_contiguous(&self, span: Span) -> bool {
        self.source_span(span).len() == span.len()
    }

    /// The part of the joined text in `span`, with its own map.
    #[must_use]
    pub fn slice(&self, span: Span) -> Logical {
        let mut slice = Logical::default();
        for (index, (text, source)) in self.runs.iter().enumerate() {
            let end = self
                .runs
                .get(index + 1)
                .map_or(self.text.len(), |(next, _)| *next);
            let (from, to) = (span.start.max(*text), span.end.min(end));
            if from < to {
                slice.push(&self.text[from..to], source + from - text);
            }
        }
        slice
    }
}
