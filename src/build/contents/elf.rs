//! What a loader reads of an ELF file, out of the bytes that are kept of it.

use std::ops::Range;

use object::elf::{
    self, DT_NEEDED, DT_NULL, DT_RPATH, DT_RUNPATH, DT_SONAME, DT_STRTAB, ELFCLASS64, FileHeader32,
    FileHeader64, PT_DYNAMIC, PT_LOAD,
};
use object::endian::Endianness;
use object::read::ReadRef;
use object::read::elf::{Dyn as _, FileHeader, ProgramHeader as _};

/// Of a file, this many bytes from its beginning are kept: program headers and names of libraries stand there.
const HEAD: usize = 24 << 20;
/// Of a longer file, this many bytes from its end: `patchelf` moves the names there.
const TAIL: usize = 8 << 20;
/// A dynamic part is far smaller.
const LARGEST_DYNAMIC: u64 = 1 << 20;
/// No file asks for more libraries.
const MOST_NAMES: usize = 512;

/// The dynamic part of an ELF file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elf {
    /// `e_machine` of the header, 62 for x86-64.
    pub machine: u16,
    /// Whether its class is 64 bits.
    pub bits64: bool,
    /// The loader that a program asks for.
    pub interpreter: Option<Box<str>>,
    /// The libraries that it needs, in its order.
    pub needed: Vec<Box<str>>,
    /// The name under which others need it.
    pub soname: Option<Box<str>>,
    /// `DT_RPATH`, unsplit; the loader heeds it only without `runpath`.
    pub rpath: Option<Box<str>>,
    /// `DT_RUNPATH`, unsplit.
    pub runpath: Option<Box<str>>,
    /// Whether its bytes name the bundle of CA certificates.
    pub names_certificates: bool,
}

impl Elf {
    /// The architecture as Docker names it, as far as it is known.
    #[must_use]
    pub fn architecture(&self) -> &'static str {
        match (elf::Machine(self.machine), self.bits64) {
            (elf::EM_X86_64, _) => "amd64",
            (elf::EM_AARCH64, _) => "arm64",
            (elf::EM_386, _) => "386",
            (elf::EM_ARM, _) => "arm",
            (elf::EM_RISCV, true) => "riscv64",
            (elf::EM_PPC64, _) => "ppc64le",
            (elf::EM_S390, _) => "s390x",
            (elf::EM_LOONGARCH, _) => "loong64",
            _ => "another architecture",
        }
    }
}

/// Beginning and end of a file that goes by as a stream.
#[derive(Debug, Default)]
pub(super) struct Kept {
    head: Vec<u8>,
    tail: Vec<u8>,
    /// Where the dynamic part of a longer file stands.
    middle: Range<u64>,
    /// As much of it as has come.
    between: Vec<u8>,
    length: u64,
}

impl Kept {
    /// Forgets the last file and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.head.clear();
        self.tail.clear();
        self.between.clear();
        self.middle = 0..0;
        self.length = 0;
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        let room = HEAD - self.head.len();
        if room > 0 {
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.head.extend_from_slice(now);
            self.length += now.len() as u64;
            bytes = later;
            if self.head.len() == HEAD {
                self.middle = dynamic_range(self).unwrap_or_default();
            }
        }
        let (start, end) = (self.length, self.length + bytes.len() as u64);
        let (from, to) = (self.middle.start.max(start), self.middle.end.min(end));
        if let (true, Ok(from), Ok(to)) = (
            from < to,
            usize::try_from(from.saturating_sub(start)),
            usize::try_from(to.saturating_sub(start)),
        ) {
            self.between.extend_from_slice(&bytes[from..to]);
        }
        self.length = end;
        self.tail.extend_from_slice(bytes);
        // Dropped in large steps, so that a long file is not moved once for every read.
        if self.tail.len() > 2 * TAIL {
            self.tail.drain(..self.tail.len() - TAIL);
        }
    }

    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    fn slice(&self, from: u64, size: u64) -> Option<&[u8]> {
        let end = from.checked_add(size)?;
        let between = self.middle.start..self.middle.start + self.between.len() as u64;
        let (bytes, from) = if end <= self.head.len() as u64 {
            (&self.head, from)
        } else if from >= between.start && end <= between.end {
            (&self.between, from - between.start)
        } else {
            let start = self.length - self.tail.len() as u64;
            (&self.tail, from.checked_sub(start)?)
        };
        let from = usize::try_from(from).ok()?;
        bytes.get(from..from.checked_add(usize::try_from(size).ok()?)?)
    }
}

impl<'a> ReadRef<'a> for &'a Kept {
    fn len(self) -> Result<u64, ()> {
        Ok(self.length)
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'a [u8], ()> {
        self.slice(offset, size).ok_or(())
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'a [u8], ()> {
        let end = range.end.min(self.length);
        let in_head = range.start < self.head.len() as u64;
        let end = if in_head {
            end.min(self.head.len() as u64)
        } else {
            end
        };
        let size = end.checked_sub(range.start).ok_or(())?;
        let bytes = self.slice(range.start, size).ok_or(())?;
        let length = memchr::memchr(delimiter, bytes).ok_or(())?;
        Ok(&bytes[..length])
    }
}

/// Where the dynamic part of the file stands, as its head has it.
fn dynamic_range(kept: &Kept) -> Option<Range<u64>> {
    fn of<H: FileHeader<Endian = Endianness>>(kept: &Kept) -> Option<Range<u64>> {
        let header = H::parse(kept).ok()?;
        let endian = header.endian().ok()?;
        let segments = header.program_headers(endian, kept).ok()?;
        let mut dynamic = segments
            .iter()
            .filter(|segment| segment.p_type(endian) == PT_DYNAMIC);
        let (start, size) = dynamic.next()?.file_range(endian);
        (size <= LARGEST_DYNAMIC).then(|| Some(start..start.checked_add(size)?))?
    }
    match kept.head.get(4) {
        Some(&class) if class == ELFCLASS64.0 => of::<FileHeader64<Endianness>>(kept),
        _ => of::<FileHeader32<Endianness>>(kept),
    }
}

/// What the kept bytes say; none when they are no ELF file. A part that is out of reach or damaged is left out.
pub(super) fn read(kept: &Kept) -> Option<Elf> {
    if !kept.head.starts_with(b"\x7fELF") {
        return None;
    }
    let bits64 = kept.head.get(4) == Some(&ELFCLASS64.0);
    let mut found = if bits64 {
        dynamic::<FileHeader64<Endianness>>(kept)?
    } else {
        dynamic::<FileHeader32<Endianness>>(kept)?
    };
    found.bits64 = bits64;
    found.names_certificates =
        memchr::memmem::find(&kept.head, b"/etc/ssl/certs/ca-certificates.crt").is_some();
    Some(found)
}

fn dynamic<H: FileHeader<Endian = Endianness>>(kept: &Kept) -> Option<Elf> {
    let header = H::parse(kept).ok()?;
    let endian = header.endian().ok()?;
    let mut found = Elf {
        machine: header.e_machine(endian).0,
        ..Elf::default()
    };
    let Ok(segments) = header.program_headers(endian, kept) else {
        return Some(found);
    };
    // The table of names is given by its address in memory.
    let in_file = |address: u64| {
        segments.iter().find_map(|segment| {
            let start: u64 = segment.p_vaddr(endian).into();
            let size: u64 = segment.p_filesz(endian).into();
            let offset: u64 = segment.p_offset(endian).into();
            let inside = segment.p_type(endian) == PT_LOAD && address >= start;
            (inside && address - start < size).then(|| offset.checked_add(address - start))?
        })
    };
    for segment in segments {
        if let Ok(Some(path)) = segment.interpreter(endian, kept) {
            found.interpreter = Some(text(path));
        }
        let Ok(Some(entries)) = segment.dynamic(endian, kept) else {
            continue;
        };
        let entries = || {
            entries
                .iter()
                .map(|entry| (entry.tag(endian), entry.val(endian)))
                .take_while(|(tag, _)| *tag != DT_NULL)
        };
        let table = entries().find(|(tag, _)| *tag == DT_STRTAB);
        let Some(table) = table.and_then(|(_, address)| in_file(address)) else {
            continue;
        };
        let name = |offset: u64| {
            let start = table.checked_add(offset)?;
            let range = start..start.checked_add(1 << 16)?;
            kept.read_bytes_at_until(range, 0).ok().map(text)
        };
        for (tag, value) in entries() {
            match tag {
                DT_NEEDED if found.needed.len() < MOST_NAMES => found.needed.extend(name(value)),
                DT_SONAME => found.soname = name(value),
                DT_RPATH => found.rpath = name(value),
                DT_RUNPATH => found.runpath = name(value),
                _ => {}
            }
        }
    }
    Some(found)
}

fn text(bytes: &[u8]) -> Box<str> {
    String::from_utf8_lossy(bytes).into()
}

#[cfg(test)]
pub(in crate::build) mod tests {
    use super::*;

    /// A 64-bit little-endian file for `machine` that asks for `interpreter` and `names` (`DT_…` and text).
    pub(in crate::build) fn made(
        machine: u16,
        interpreter: &str,
        names: &[(i64, &str)],
    ) -> Vec<u8> {
        const HEADERS: u64 = 64 + 3 * 56;
        let mut strings = vec![0];
        let mut entries: Vec<(i64, u64)> = Vec::new();
        for (tag, name) in names {
            entries.push((*tag, strings.len() as u64));
            strings.extend_from_slice(name.as_bytes());
            strings.push(0);
        }
        let interpreter: Vec<u8> = interpreter.bytes().chain([0]).collect();
        let at_strings = HEADERS + interpreter.len() as u64;
        let at_dynamic = at_strings + strings.len() as u64;
        entries.push((DT_STRTAB.0, 0x1000 + at_strings));
        entries.push((0, 0));
        let size_dynamic = entries.len() as u64 * 16;
        let whole = at_dynamic + size_dynamic;
        let mut out = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
        out.resize(16, 0);
        for half in [3, machine] {
            out.extend(half.to_le_bytes());
        }
        out.extend(1u32.to_le_bytes());
        for word in [0u64, 64, 0] {
            out.extend(word.to_le_bytes());
        }
        out.extend(0u32.to_le_bytes());
        for half in [64u16, 56, 3, 64, 0, 0] {
            out.extend(half.to_le_bytes());
        }
        let segments = [
            (1u32, 0, whole),
            (2, at_dynamic, size_dynamic),
            (3, HEADERS, interpreter.len() as u64),
        ];
        for (kind, offset, size) in segments {
            out.extend(kind.to_le_bytes());
            out.extend(4u32.to_le_bytes());
            for word in [offset, 0x1000 + offset, 0x1000 + offset, size, size, 8] {
                out.extend(word.to_le_bytes());
            }
        }
        out.extend(interpreter);
        out.extend(strings);
        for (tag, value) in entries {
            out.extend(tag.to_le_bytes());
            out.extend(value.to_le_bytes());
        }
        out
    }

    fn kept(bytes: &[u8]) -> Kept {
        let mut kept = Kept::default();
        bytes.chunks(1 << 20).for_each(|chunk| kept.push(chunk));
        kept
    }

    #[test]
    fn names_are_found_behind_their_address() {
        let names = [
            (DT_NEEDED.0, "libpq.so.5"),
            (DT_NEEDED.0, "libc.so.6"),
            (DT_SONAME.0, "libx.so.1"),
            (DT_RUNPATH.0, "$ORIGIN/../lib"),
        ];
        let made = made(62, "/lib64/ld-linux-x86-64.so.2", &names);
        let elf = read(&kept(&made)).expect("it is an ELF file");
        assert_eq!(
            elf.interpreter.as_deref(),
            Some("/lib64/ld-linux-x86-64.so.2")
        );
        assert_eq!(
            elf.needed,
            ["libpq.so.5".into(), "libc.so.6".into()] as [Box<str>; 2]
        );
        assert_eq!(elf.soname.as_deref(), Some("libx.so.1"));
        assert_eq!(elf.runpath.as_deref(), Some("$ORIGIN/../lib"));
        assert_eq!((elf.architecture(), elf.bits64), ("amd64", true));
    }

    #[test]
    fn this_test_itself_needs_the_c_library() {
        let program = std::env::current_exe().expect("it runs");
        let bytes = std::fs::read(program).expect("it is readable");
        let mut long = kept(&bytes);
        let elf = read(&long).expect("it is an ELF file");
        assert!(
            elf.needed.iter().any(|name| name.starts_with("libc.")),
            "{elf:?}"
        );
        // Reuse forgets.
        long.clear();
        long.push(b"#!/bin/sh\n");
        assert_eq!(read(&long), None);
    }

    #[test]
    fn damage_gives_less_and_no_panic() {
        let whole = made(183, "/lib/ld", &[(DT_NEEDED.0, "libz.so.1")]);
        for length in 0..whole.len() {
            let _ = read(&kept(&whole[..length]));
            let mut changed = whole.clone();
            changed[length] = 0xff;
            let _ = read(&kept(&changed));
        }
    }

    #[test]
    fn a_long_file_keeps_its_end() {
        let mut bytes = vec![b'a'; HEAD + 3 * TAIL];
        bytes.extend_from_slice(b"the end");
        let kept = kept(&bytes);
        assert_eq!(kept.slice(bytes.len() as u64 - 7, 7), Some(&b"the end"[..]));
        assert_eq!(kept.slice(HEAD as u64 + 5, 10), None);
        assert!(kept.head.len() + kept.tail.len() <= HEAD + 2 * TAIL);
    }
}
