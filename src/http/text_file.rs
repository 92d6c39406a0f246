//! Reads the text files of settings, up to a size limit. `config` uses it too.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Largest file, in bytes. Without a limit, a log or a disk that is named by mistake would fill the memory.
const LARGEST: u64 = 1 << 20;

/// Returns the text of a file. Fails if it cannot be read, is larger than 1 MiB, or is not UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    if File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)? as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
