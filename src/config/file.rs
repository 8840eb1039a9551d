//! Configuration files in Redis's format: lines of a name and its value, quotes, `#`, `include`.
//!
//! The lines of an included file stand where the `include` stands. This file knows no option: it turns files into
//! [`Setting`]s, each with the place it comes from.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use glob::MatchOptions;

use super::setting::{Origin, Setting};
use crate::base::words::split_words;

/// Most bytes of all files together. Debian's file has about 100,000.
pub const FILE_BYTES_MAX: usize = 4 << 20;
/// Most files: the first one and those that are included.
pub const FILES_MAX: usize = 1_000;
/// How deep an `include` may be inside others.
pub const INCLUDE_DEPTH_MAX: usize = 16;

/// A pattern of `include` matches names as the shell does: a name that begins with a dot must be named with its dot.
const GLOB: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// One line that is neither empty nor a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1.
    pub number: usize,
    /// The name, in small letters.
    pub name: String,
    /// The words behind it, without their quotes.
    pub words: Vec<String>,
}

/// The lines of `text` that say something.
///
/// # Errors
/// The number of the first line that is wrong, that line, and what is wrong with it.
pub fn lines(text: &[u8]) -> Result<Vec<Line>, (usize, String, &'static str)> {
    let mut lines = Vec::new();
    for (at, raw) in text.split(|byte| *byte == b'\n').enumerate() {
        let (number, raw) = (at + 1, raw.trim_ascii());
        if raw.is_empty() || raw.starts_with(b"#") {
            continue;
        }
        let wrong = |why| (number, String::from_utf8_lossy(raw).into_owned(), why);
        let words = split_words(raw).ok_or_else(|| wrong("Unbalanced quotes in configuration line"))?;
        let words: Result<Vec<String>, _> = words.into_iter().map(String::from_utf8).collect();
        let mut words = words.map_err(|_| wrong("argument is not UTF-8"))?.into_iter();
        let Some(name) = words.next() else { continue };
        lines.push(Line { number, name: name.to_ascii_lowercase(), words: words.collect() });
    }
    Ok(lines)
}

/// The settings of the file at `path` and of all that it includes, in order. Relative paths begin at `folder`.
///
/// # Errors
/// One line with the file, the line's number and what is wrong, in Redis's words where Redis has them.
pub fn read(path: &Path, folder: &Path) -> Result<Vec<Setting>, String> {
    let mut reader = Reader::new(folder);
    reader.file(path, 0)?;
    Ok(reader.settings)
}

/// The settings of `text`, which stands for the file at `path`, and of all that it includes.
///
/// # Errors
/// As [`read`].
pub fn read_text(text: &[u8], path: &Path, folder: &Path) -> Result<Vec<Setting>, String> {
    let mut reader = Reader::new(folder);
    reader.text(text, path, 0)?;
    Ok(reader.settings)
}

/// Checks that `path` is a regular file, which can be read again and replaced. A pipe would stop the server, and `/dev/null`
/// must stay what it is.
///
/// # Errors
/// If it cannot.
pub fn check_kind(path: &Path) -> Result<(), String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if metadata.is_file() { Ok(()) } else { Err(format!("'{}' is no regular file", path.display())) }
}

/// All bytes of `from`, if they are not more than `bytes_max`.
///
/// # Errors
/// Why they cannot be read.
pub fn take(from: impl Read, bytes_max: usize) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    from.take(bytes_max as u64 + 1).read_to_end(&mut text).map_err(|error| error.to_string())?;
    if text.len() > bytes_max {
        return Err(format!("all files together must not exceed {FILE_BYTES_MAX} bytes"));
    }
    Ok(text)
}

struct Reader<'a> {
    folder: &'a Path,
    settings: Vec<Setting>,
    bytes_left: usize,
    files_left: usize,
}

impl Reader<'_> {
    fn new(folder: &Path) -> Reader<'_> {
        Reader { folder, settings: Vec::new(), bytes_left: FILE_BYTES_MAX, files_left: FILES_MAX }
    }

    fn file(&mut self, path: &Path, depth: usize) -> Result<(), String> {
        let failed =
            |why: &dyn std::fmt::Display| format!("can't open config file '{}': {why}", path.display());
        self.files_left =
            self.files_left.checked_sub(1).ok_or_else(|| failed(&format!("more than {FILES_MAX} files")))?;
        let file = File::open(path).map_err(|error| failed(&error))?;
        let text = take(file, self.bytes_left).map_err(|why| failed(&why))?;
        self.bytes_left -= text.len();
        self.text(&text, path, depth)
    }

    fn text(&mut self, text: &[u8], path: &Path, depth: usize) -> Result<(), String> {
        let path: Arc<Path> = path.into();
        let lines = lines(text)
            .map_err(|(number, line, why)| Origin::File(path.clone(), number).wrong(&[&line], why))?;
        for Line { number, name, words } in lines {
            let origin = Origin::File(path.clone(), number);
            if name == "include" {
                let [pattern] = &words[..] else {
                    return Err(origin.wrong(&["include"], "wrong number of arguments"));
                };
                self.include(pattern, depth + 1).map_err(|why| origin.wrong(&["include", pattern], &why))?;
            } else {
                self.settings.push(Setting { origin, name, count: words.len(), value: words.join(" ") });
            }
        }
        Ok(())
    }

    /// Reads the files that `pattern` names. As in Redis, a pattern that matches no file is no error, but a path
    /// without a file is.
    fn include(&mut self, pattern: &str, depth: usize) -> Result<(), String> {
        if depth > INCLUDE_DEPTH_MAX {
            return Err(format!("files include each other more than {INCLUDE_DEPTH_MAX} deep"));
        }
        // Several stars are one, as for the shell. The crate would search all folders below.
        let mut pattern = pattern.to_owned();
        while pattern.contains("**") {
            pattern = pattern.replace("**", "*");
        }
        let pattern = &pattern[..];
        if !pattern.contains(['*', '?', '[']) {
            let path = self.folder.join(pattern);
            return check_kind(&path)
                .map_err(|why| format!("can't open config file '{}': {why}", path.display()))
                .and_then(|()| self.file(&path, depth));
        }
        // Only the pattern's own signs are signs: the folder may have them in its name.
        let whole = match Path::new(pattern).is_absolute() {
            true => PathBuf::from(pattern),
            false => Path::new(&glob::Pattern::escape(&self.folder.to_string_lossy())).join(pattern),
        };
        let found = glob::glob_with(&whole.to_string_lossy(), GLOB).map_err(|error| error.to_string())?;
        for path in found {
            let path = path.map_err(|error| error.to_string())?;
            check_kind(&path)?;
            self.file(&path, depth)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: usize, name: &str, words: &[&str]) -> Line {
        Line { number, name: name.to_owned(), words: words.iter().map(|word| (*word).to_owned()).collect() }
    }

    #[test]
    fn only_a_regular_file_is_replaced_or_read_again() {
        assert!(check_kind(Path::new("/dev/null")).is_err());
        assert!(check_kind(Path::new("/")).is_err());
        assert!(check_kind(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))).is_ok());
    }

    #[test]
    fn lines_have_the_quotes_comments_and_ends_of_redis() {
        let text = b"# a comment\r\n\r\n  PORT 7\r\n\tlogfile \"a \\x41\\\"\" \n  # port 8\nsave ''\nsave \"\"\nbind a  b\n#";
        let expected = [
            line(3, "port", &["7"]),
            line(4, "logfile", &["a A\""]),
            line(6, "save", &[""]),
            line(7, "save", &[""]),
            line(8, "bind", &["a", "b"]),
        ];
        assert_eq!(lines(text), Ok(expected.into()));
        assert_eq!(lines(b"dir a#b # no comment"), Ok(vec![line(1, "dir", &["a#b", "#", "no", "comment"])]));
        assert_eq!(lines(b""), Ok(Vec::new()));
    }

    #[test]
    fn hostile_lines_are_errors_with_their_number() {
        for (text, number) in [
            (&b"port 1\nport \"1"[..], 2),
            (b"\n\nlogfile 'a", 3),
            (b"logfile \"a\"b", 1),
            (b"logfile 'it\\'", 1),
            (b"port 1\nport \"\\xff\"", 2),
            (b"\xff\xfe 1", 1),
        ] {
            assert_eq!(lines(text).map_err(|(number, ..)| number), Err(number), "{}", text.escape_ascii());
        }
        // Bytes that are no text do no harm in a comment.
        assert_eq!(lines(b"# \xff\xfe\nport 1"), Ok(vec![line(2, "port", &["1"])]));
    }

    fn scratch(name: &str) -> tempfile::TempDir {
        tempfile::Builder::new().prefix(name).tempdir().unwrap()
    }

    fn names(settings: &[Setting]) -> Vec<String> {
        settings.iter().map(|setting| format!("{} {}", setting.name, setting.value)).collect()
    }

    #[test]
    fn included_files_stand_where_the_include_stands() {
        let folder = scratch("tidegate-[in]clude");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(
            at("main"),
            "a 1\ninclude more/*.conf\nb 2\ninclude none-*\ninclude **/last\ninclude last",
        )
        .unwrap();
        std::fs::create_dir_all(at("more/deep")).unwrap();
        for (name, text) in [
            ("more/2.conf", "d 4"),
            ("more/1.conf", "c 3"),
            ("more/.x.conf", "x"),
            ("last", "e"),
            ("more/deep/last", "f"),
        ] {
            std::fs::write(at(name), text).unwrap();
        }
        let all = read(&at("main"), folder.path()).unwrap();
        assert_eq!(names(&all), ["a 1", "c 3", "d 4", "b 2", "e "]);
        assert_eq!(all[1].origin, Origin::File(at("more/1.conf").into(), 1));
        std::fs::write(at("last"), "\ninclude missing").unwrap();
        let why = read(&at("main"), folder.path()).unwrap_err();
        assert!(why.contains("main:6: 'include last': "), "{why}");
        assert!(why.contains("last:2: 'include missing': can't open config file"), "{why}");
    }

    #[test]
    fn files_that_include_each_other_end() {
        let folder = scratch("tidegate-loop");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("a"), "include b").unwrap();
        std::fs::write(at("b"), "include a").unwrap();
        let why = read(&at("a"), folder.path()).unwrap_err();
        assert!(why.contains("include each other more than 16 deep"), "{why}");
        // Each file includes all twice: without a limit on their number this would take for ever.
        std::fs::write(at("a"), "include [ab]\ninclude [ab]").unwrap();
        std::fs::write(at("b"), "# nothing").unwrap();
        assert!(read(&at("a"), folder.path()).is_err());
        std::fs::write(at("a"), vec![b'#'; FILE_BYTES_MAX + 1]).unwrap();
        let why = read(&at("a"), folder.path()).unwrap_err();
        assert!(why.contains("must not exceed 4194304 bytes"), "{why}");
    }
}
