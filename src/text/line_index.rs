use super::Span;

/// Where the lines of a text begin: turns byte offsets into line numbers.
///
/// Lines end at `\n`, as BuildKit and `git` count them; a `\r` belongs to its line.
#[derive(Clone, Debug)]
pub struct LineIndex {
    starts: Vec<usize>,
}

impl LineIndex {
    /// Indexes `source`.
    #[must_use]
    pub fn new(source: &[u8]) -> Self {
        let mut starts = vec![0];
        starts.extend(memchr::memchr_iter(b'\n', source).map(|at| at + 1));
        Self { starts }
    }

    /// The number, counted from 1, of the line that holds `offset`.
    #[must_use]
    pub fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }

    /// The line and the column of `offset`, both counted from 1, the column in bytes.
    #[must_use]
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let line = self.line(offset);
        (line, offset - self.starts[line - 1] + 1)
    }

    /// The offset at which line `line`, counted from 1, begins.
    #[must_use]
    pub fn start(&self, line: usize) -> Option<usize> {
        self.starts.get(line.checked_sub(1)?).copied()
    }

    /// The first and the last line, counted from 1, that `span` touches.
    #[must_use]
    pub fn lines(&self, span: Span) -> (usize, usize) {
        let last = if span.is_empty() {
            span.start
        } else {
            span.end - 1
        };
        (self.line(span.start), self.line(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_and_columns_from_one() {
        let index = LineIndex::new(b"FROM a\nRUN b\n");
        assert_eq!(index.line_column(0), (1, 1));
        assert_eq!(index.line_column(6), (1, 7));
        assert_eq!(index.line_column(7), (2, 1));
        assert_eq!(index.lines(Span::new(0, 13)), (1, 2));
        assert_eq!(index.start(2), Some(7));
        assert_eq!(index.start(9), None);
    }
}
