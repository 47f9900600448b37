//! Scripts handed to a shell as an argument: `sh -c '…'`, `bash -lc "…"`.

use super::convert::{self, Reader};
use super::{Dialect, Inner, Simple, word};
use crate::syntax::Logical;
use crate::text::Span;

/// The script in an argument of `simple`, whose words stand at `spans` of the reader's text. None when it runs no
/// shell, the script is computed, or it cannot be parsed.
pub(super) fn read(reader: &Reader<'_>, simple: &Simple, spans: &[Span]) -> Option<Inner> {
    let program = simple.program;
    let name = std::str::from_utf8(program.name(&simple.words)?).ok()?;
    let dialect = match Dialect::of_program(name)? {
        // `sh` of an image whose RUNs dash or busybox reads is that shell.
        Dialect::Posix if reader.dialect != Dialect::Bash => reader.dialect,
        dialect => dialect,
    };
    let index = argument(simple, program.index? + 1)?;
    let span = *spans.get(index)?;
    let scan = word::scan_offsets(reader, span).ok()?;
    let value = scan.literal?;
    let mut text = Logical::default();
    for (byte, offset) in value.iter().zip(&scan.offsets) {
        text.push(&[*byte], reader.logical.source_offset(*offset));
    }
    let script = convert::parse(&text, dialect, reader.depth + 1).ok()?;
    let raw = span.of(reader.text);
    let quoted = matches!(
        (raw.first(), raw.last()),
        (Some(b'\''), Some(b'\'')) | (Some(b'"'), Some(b'"'))
    );
    Some(Inner {
        script,
        dialect,
        word: index,
        editable: quoted && raw.len() == value.len() + 2 && reader.logical.is_contiguous(span),
    })
}

/// The index of the word after the option group that ends in or holds `c`.
fn argument(simple: &Simple, first: usize) -> Option<usize> {
    let mut index = first;
    loop {
        let option = simple.words.get(index)?.literal.as_deref()?;
        index += 1;
        match option {
            b"-o" | b"+o" | b"-O" => index += 1,
            option if option.starts_with(b"--") => {}
            [b'-', letters @ ..] if letters.contains(&b'c') => {
                // What follows may be options still, as in `sh -c -e '…'`.
                let takes_name = letters.contains(&b'o');
                index += usize::from(takes_name);
                let next = simple.words.get(index)?.literal.as_deref();
                return (!next.is_some_and(|next| next.starts_with(b"-"))).then_some(index);
            }
            [b'-' | b'+', ..] => {}
            _ => return None,
        }
    }
}
