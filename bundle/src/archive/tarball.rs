//! A tar archive under gzip: the strict reader, and the writer whose output depends on nothing but the content.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use flate2::bufread::GzDecoder;
use flate2::{Compression, GzBuilder};
use tar::{Archive, EntryType, Header};
use zeroize::Zeroizing;

use super::fault::{BundleFault, quoted};
use super::limits;
use super::member::Member;

/// The files of a bundle by their path. Some hold secrets.
pub(super) type Files = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// The time of every entry, 1980-01-01T00:00:00Z: the same always, and no tool complains of it, as GNU tar does of 1970.
const MOMENT: u64 = 315_532_800;
/// How many unknown names to list.
const LISTED: usize = 10;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads all of an archive into memory, or says what no bundle would have.
pub(super) fn unpack(bytes: &[u8]) -> Result<Files, BundleFault> {
    if !bytes.starts_with(&GZIP) {
        return Err(BundleFault::NotGzip);
    }
    let whole = || BundleFault::TooLarge { what: "the bundle".to_owned(), largest: limits::SUM };
    if bytes.len() as u64 > limits::ARCHIVE {
        return Err(whole());
    }
    let mut stream = Bounded { inner: GzDecoder::new(bytes), left: limits::SUM, exceeded: false };
    let read = entries(&mut stream).and_then(|files| {
        only_padding(&mut stream)?;
        Ok(files)
    });
    if stream.exceeded {
        return Err(whole());
    }
    let files = read?;
    if !stream.inner.into_inner().is_empty() {
        return Err(BundleFault::TrailingData);
    }
    Ok(files)
}

/// An archive of these files, and of the directories that they are in. The files must be members of bundles.
pub(super) fn pack(files: &BTreeMap<String, &[u8]>) -> io::Result<Zeroizing<Vec<u8>>> {
    let gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let mut archive = tar::Builder::new(gzip);
    let mut last_directories: Vec<&str> = Vec::new();
    for (path, content) in files {
        let directories: Vec<&str> = path.match_indices('/').map(|(end, _)| &path[..end]).collect();
        for directory in directories.iter().filter(|directory| !last_directories.contains(directory)) {
            let mut header = header(EntryType::Directory, 0o700, 0);
            archive.append_data(&mut header, format!("{directory}/"), io::empty())?;
        }
        last_directories = directories;
        let mode = Member::at(path).map_or(0o600, Member::mode);
        let mut header = header(EntryType::Regular, mode, content.len() as u64);
        archive.append_data(&mut header, path, *content)?;
    }
    let mut gzip = archive.into_inner()?;
    gzip.flush()?;
    Ok(Zeroizing::new(gzip.finish()?))
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(MOMENT);
    header.set_size(size);
    header
}

fn entries(stream: &mut impl Read) -> Result<Files, BundleFault> {
    let mut archive = Archive::new(stream);
    let mut files = Files::new();
    let mut unknown = Vec::new();
    for (count, entry) in archive.entries().map_err(damaged)?.enumerate() {
        if count == limits::ENTRIES {
            return Err(BundleFault::TooMany { most: limits::ENTRIES });
        }
        let mut entry = entry.map_err(damaged)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        match entry.header().entry_type() {
            EntryType::Regular => {}
            EntryType::Directory => {
                if !Member::directory_at(plain(path.strip_suffix('/').unwrap_or(&path))?) {
                    unknown.push(quoted(&path));
                }
                continue;
            }
            EntryType::Link | EntryType::Symlink => return Err(BundleFault::Link { path: quoted(&path) }),
            _ => return Err(BundleFault::Special { path: quoted(&path) }),
        }
        let Some(member) = Member::at(plain(&path)?) else {
            unknown.push(quoted(&path));
            continue;
        };
        let (size, largest) = (entry.size(), member.largest());
        if size > largest {
            return Err(BundleFault::TooLarge { what: quoted(&path), largest });
        }
        let mut content = Zeroizing::new(Vec::new());
        entry.read_to_end(&mut content).map_err(damaged)?;
        if content.len() as u64 != size {
            return Err(BundleFault::Damaged { detail: format!("{} ends early", quoted(&path)) });
        }
        if files.insert(path.clone(), content).is_some() {
            return Err(BundleFault::Duplicate { path: quoted(&path) });
        }
    }
    if unknown.is_empty() {
        return Ok(files);
    }
    unknown.truncate(LISTED);
    Err(BundleFault::Unknown { names: unknown })
}

/// A path that cannot lead out of a directory, and is the only way to write itself.
fn plain(path: &str) -> Result<&str, BundleFault> {
    let good = |name: &str| !matches!(name, "" | "." | "..") && !name.contains(|c: char| c.is_control() || c == '\\');
    if path.split('/').all(good) { Ok(path) } else { Err(BundleFault::Path { path: quoted(path) }) }
}

/// Reads to the end, so that gzip's own sum is checked; archives are filled up with zeros.
fn only_padding(stream: &mut impl Read) -> Result<(), BundleFault> {
    let mut block = [0; 4096];
    loop {
        match stream.read(&mut block).map_err(damaged)? {
            0 => return Ok(()),
            length if block[..length].iter().all(|byte| *byte == 0) => {}
            _ => return Err(BundleFault::TrailingData),
        }
    }
}

fn damaged(error: io::Error) -> BundleFault {
    BundleFault::Damaged { detail: quoted(&error.to_string()) }
}

/// A reader that fails, instead of ending, where there is more than it may give.
struct Bounded<R> {
    inner: R,
    left: u64,
    exceeded: bool,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        match self.left.checked_sub(length as u64) {
            Some(left) => {
                self.left = left;
                Ok(length)
            }
            None => {
                self.exceeded = true;
                Err(io::Error::other("too large"))
            }
        }
    }
}
