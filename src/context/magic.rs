/// What the first bytes of a file say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Magic {
    /// No bytes at all.
    Empty,
    /// A tar archive, not compressed.
    Tar,
    /// gzip.
    Gzip,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// Zstandard.
    Zstd,
    /// zip, and with it jar, whl and the like.
    Zip,
    /// A Linux program or library.
    Elf,
    /// `#!`
    Script,
    /// Something else.
    Other,
}

impl Magic {
    /// Judges the first 512 bytes of a file, or all of it when it is shorter.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        const SIGNATURES: &[(&[u8], Magic)] = &[
            (b"\x1f\x8b\x08", Magic::Gzip),
            (b"BZh", Magic::Bzip2),
            (b"\xfd7zXZ\0", Magic::Xz),
            (b"\x28\xb5\x2f\xfd", Magic::Zstd),
            (b"PK\x03\x04", Magic::Zip),
            (b"\x7fELF", Magic::Elf),
            (b"#!", Magic::Script),
        ];
        if head.is_empty() {
            return Magic::Empty;
        }
        if let Some((_, magic)) = SIGNATURES.iter().find(|(start, _)| head.starts_with(start)) {
            return *magic;
        }
        if is_skippable_zstd(head) {
            return Magic::Zstd;
        }
        if is_tar(head) {
            Magic::Tar
        } else {
            Magic::Other
        }
    }

    /// Whether `ADD` may unpack the file: a tar archive, or compressed in a way that a tar archive may be.
    #[must_use]
    pub fn may_be_unpacked(self) -> bool {
        matches!(
            self,
            Magic::Tar | Magic::Gzip | Magic::Bzip2 | Magic::Xz | Magic::Zstd
        )
    }
}

fn is_skippable_zstd(head: &[u8]) -> bool {
    head.len() >= 8 && (0x50..=0x5f).contains(&head[0]) && head[1..4] == [0x2a, 0x4d, 0x18]
}

/// A tar header carries the sum of its own bytes, its own eight counted as spaces; old tars have no other mark.
fn is_tar(head: &[u8]) -> bool {
    let Some(header) = head.first_chunk::<512>() else {
        return false;
    };
    let digits = header[148..156]
        .iter()
        .copied()
        .skip_while(|byte| *byte == b' ')
        .take_while(|byte| (b'0'..=b'7').contains(byte));
    let written = digits.fold(0u32, |sum, digit| sum * 8 + u32::from(digit - b'0'));
    let rest = header[..148].iter().chain(&header[156..]);
    let sum = rest.map(|byte| u32::from(*byte)).sum::<u32>() + 8 * u32::from(b' ');
    written == sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_archives_by_their_bytes() {
        assert_eq!(Magic::of(b""), Magic::Empty);
        assert_eq!(Magic::of(b"\x1f\x8b\x08\0"), Magic::Gzip);
        assert_eq!(Magic::of(b"#!/bin/sh\n"), Magic::Script);
        assert_eq!(Magic::of(b"{}"), Magic::Other);
        assert_eq!(Magic::of(b"PK\x03\x04"), Magic::Zip);
        assert!(!Magic::Zip.may_be_unpacked());
        let mut header = [0u8; 512];
        header[0] = b'a';
        assert_eq!(Magic::of(&header), Magic::Other);
        // 97 for the name and 8 spaces: 353, octal 541.
        header[148..156].copy_from_slice(b"000541\0 ");
        assert_eq!(Magic::of(&header), Magic::Tar);
    }
}
