//! One layer: a tar archive, plain or compressed, read once from beginning to end.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use tar::EntryType;

use super::elf::{self, Elf, Kept};

/// Of a file that is kept as text, no more bytes than this.
const LARGEST_TEXT: u64 = 4 << 20;
/// A first line is not longer.
const LONGEST_LINE: usize = 512;
/// How much is read at a time.
const CHUNK: usize = 128 << 10;

/// A layer of an image.
#[derive(Debug, Default)]
pub(super) struct Layer {
    pub(super) entries: Vec<Entry>,
    /// Bytes of its regular files.
    pub(super) size: u64,
    /// Bytes of it in a registry, where that was asked for.
    pub(super) compressed: Option<u64>,
}

/// What a layer says about one path.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Without a slash in front; empty for the root.
    pub(super) path: Box<str>,
    pub(super) what: What,
}

/// What stands at a path, or that nothing does any more.
#[derive(Clone, Debug)]
pub(super) enum What {
    Node(Node),
    /// The same file as this path.
    HardLink(Box<str>),
    /// Nothing of the layers below stands here.
    Whiteout,
    /// Nothing of the layers below stands in this folder.
    Opaque,
}

/// Something in the file system of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Permissions, with set-user-id and sticky bits.
    pub mode: u32,
    /// Its owner.
    pub user: u32,
    /// Its group.
    pub group: u32,
}

/// Kinds of things in a file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A regular file.
    File {
        /// Bytes.
        size: u64,
        /// SHA-256 of its bytes.
        hash: [u8; 32],
        /// What was read of it.
        facts: Option<Arc<Facts>>,
    },
    /// A symbolic link, and what it says.
    Link(Box<str>),
    /// A device, a pipe.
    Special,
}

/// What is known of the content of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Facts {
    /// A program or library.
    Elf(Elf),
    /// The rest of the first line behind `#!`.
    Script(Box<str>),
    /// A small file that says how others are found: all of it.
    Text(Box<[u8]>),
}

/// Reads the layer from `stream`; compresses it on the side when `measure` asks for its size in a registry.
///
/// # Errors
/// When the stream ends early, or is neither a tar archive nor a compressed one.
pub(super) fn read(stream: impl Read, measure: bool, kept: &mut Kept) -> io::Result<Layer> {
    let mut stream = BufReader::with_capacity(CHUNK, stream);
    let start = stream.fill_buf()?;
    if start.starts_with(&[0x1f, 0x8b]) {
        let mut counted = Counted::new(stream);
        let mut layer = entries(MultiGzDecoder::new(&mut counted), kept)?;
        layer.compressed = Some(counted.drained()?);
        return Ok(layer);
    }
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let mut counted = Counted::new(stream);
        let decoder = ruzstd::decoding::StreamingDecoder::new(&mut counted);
        let mut layer = entries(decoder.map_err(io::Error::other)?, kept)?;
        layer.compressed = Some(counted.drained()?);
        return Ok(layer);
    }
    if !measure {
        return entries(stream, kept);
    }
    let mut tee = Tee::new(stream);
    let mut layer = entries(&mut tee, kept)?;
    layer.compressed = Some(tee.finish()?);
    Ok(layer)
}

fn entries(stream: impl Read, kept: &mut Kept) -> io::Result<Layer> {
    let mut archive = tar::Archive::new(stream);
    let mut layer = Layer::default();
    let mut buffer = vec![0; CHUNK];
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = clean(&entry.path_bytes());
        let header = entry.header();
        let kind = header.entry_type();
        let node = |kind| {
            // Owners are 32-bit numbers; what is larger is nobody's.
            let id = |id: io::Result<u64>| Ok::<_, io::Error>(u32::try_from(id?).unwrap_or(65534));
            Ok::<_, io::Error>(What::Node(Node {
                kind,
                mode: header.mode()? & 0o7777,
                user: id(header.uid())?,
                group: id(header.gid())?,
            }))
        };
        let link = || clean_target(&entry.link_name_bytes().unwrap_or_default());
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if let Some(gone) = name.strip_prefix(".wh.") {
            let (path, what) = match gone {
                ".wh..opq" => (folder.into(), What::Opaque),
                // Other names with two marks are notes of an old storage driver.
                gone if gone.starts_with(".wh.") => continue,
                gone if folder.is_empty() => (gone.into(), What::Whiteout),
                gone => (format!("{folder}/{gone}").into(), What::Whiteout),
            };
            layer.entries.push(Entry { path, what });
            continue;
        }
        let what = match kind {
            EntryType::Directory => node(Kind::Folder)?,
            EntryType::Symlink => node(Kind::Link(link()))?,
            EntryType::Link => What::HardLink(clean(link().as_bytes())),
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let mut made = node(Kind::Special)?;
                let size = entry.size();
                layer.size += size;
                let (hash, facts) = content(&mut entry, &path, size, kept, &mut buffer)?;
                if let What::Node(node) = &mut made {
                    node.kind = Kind::File { size, hash, facts };
                }
                made
            }
            EntryType::Char | EntryType::Block | EntryType::Fifo => node(Kind::Special)?,
            _ => continue,
        };
        layer.entries.push(Entry { path, what });
    }
    Ok(layer)
}

/// Hash of a file, and what is worth knowing of it.
fn content(
    stream: &mut impl Read,
    path: &str,
    size: u64,
    kept: &mut Kept,
    buffer: &mut [u8],
) -> io::Result<([u8; 32], Option<Arc<Facts>>)> {
    let mut hash = Sha256::new();
    kept.clear();
    let mut wanted = None;
    let text = is_text_wanted(path) && size <= LARGEST_TEXT;
    let mut first = Vec::new();
    loop {
        let read = match stream.read(buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let bytes = &buffer[..read];
        hash.update(bytes);
        // The first read may be short: the decision waits for four bytes.
        if wanted.is_none() {
            first.extend_from_slice(bytes);
            if first.len() >= 4 {
                let keep = text || first.starts_with(b"\x7fELF") || first.starts_with(b"#!");
                wanted = Some(keep);
                if keep {
                    kept.push(&first);
                }
            }
        } else if wanted == Some(true) {
            kept.push(bytes);
        }
    }
    if wanted.is_none() && text {
        kept.push(&first);
    }
    let facts = if text {
        Some(Facts::Text(kept.head().into()))
    } else if let Some(line) = kept.head().strip_prefix(b"#!") {
        let line = &line[..line.len().min(LONGEST_LINE)];
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        Some(Facts::Script(line.trim().into()))
    } else {
        elf::read(kept).map(Facts::Elf)
    };
    Ok((hash.finalize().into(), facts.map(Arc::new)))
}

/// Files that say who there is, and where libraries are found.
fn is_text_wanted(path: &str) -> bool {
    let Some(name) = path.strip_prefix("etc/") else {
        return false;
    };
    matches!(name, "passwd" | "group" | "ld.so.conf" | "ld.so.cache")
        || name.starts_with("ld.so.conf.d/")
        || (name.starts_with("ld-musl-") && name.ends_with(".path"))
}

/// `./usr//bin/` as `usr/bin`.
pub(super) fn clean(path: &[u8]) -> Box<str> {
    let text = String::from_utf8_lossy(path);
    let mut out = String::with_capacity(text.len());
    for part in text.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if !out.is_empty() {
            out.push('/');
        }
        out.push_str(part);
    }
    out.into()
}

fn clean_target(target: &[u8]) -> Box<str> {
    String::from_utf8_lossy(target).into()
}

/// Counts what is read through it.
struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: Read> Counted<R> {
    fn new(inner: R) -> Self {
        Self { inner, count: 0 }
    }

    /// Reads to the end, and gives the bytes of the whole.
    fn drained(&mut self) -> io::Result<u64> {
        io::copy(self, &mut io::sink())?;
        Ok(self.count)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count += read as u64;
        Ok(read)
    }
}

/// Hands what is read through it to a thread that compresses it as a registry's client does.
struct Tee<R> {
    inner: R,
    sender: Option<SyncSender<Vec<u8>>>,
    worker: Option<JoinHandle<u64>>,
}

impl<R: Read> Tee<R> {
    fn new(inner: R) -> Self {
        let (sender, receiver) = sync_channel::<Vec<u8>>(16);
        let work = move || {
            let mut encoder = GzEncoder::new(Sink::default(), Compression::default());
            for chunk in receiver {
                // The sink takes everything.
                let _ = encoder.write_all(&chunk);
            }
            encoder.finish().map_or(0, |sink| sink.0)
        };
        // Without a thread the size stays unknown.
        let worker = thread::Builder::new().spawn(work).ok();
        Self {
            inner,
            sender: worker.is_some().then_some(sender),
            worker,
        }
    }

    /// Reads to the end, and gives the compressed bytes of the whole.
    fn finish(&mut self) -> io::Result<u64> {
        io::copy(self, &mut io::sink())?;
        self.sender = None;
        let worker = self.worker.take();
        let size = worker.and_then(|worker| worker.join().ok());
        size.ok_or_else(|| io::Error::other("the compressed size could not be worked out"))
    }
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if let Some(sender) = &self.sender
            && read > 0
            && sender.send(buffer[..read].to_vec()).is_err()
        {
            self.sender = None;
        }
        Ok(read)
    }
}

/// Counts what is written to it.
#[derive(Default)]
struct Sink(u64);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
