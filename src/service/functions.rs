//! The libraries of functions that the server knows: their texts, and what they have registered. The functions themselves are
//! in the interpreter.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cx::Failure;
use super::shebang::Shebang;
use crate::config::LIBRARIES_MAX;
use crate::script::{BAD_NAME, Registered, is_name};

/// About how many bytes a library or a function takes besides its texts.
const ENTRY_BYTES: usize = 256;

/// The libraries that the server knows.
#[derive(Debug, Default)]
pub struct Functions {
    /// The libraries by their names.
    libraries: BTreeMap<Vec<u8>, Arc<Library>>,
    /// The functions by their names in lower case: the library, and the position in its list.
    by_name: BTreeMap<Vec<u8>, (Arc<Library>, usize)>,
    /// Number of the last library that was loaded.
    last_number: u64,
    /// Number of the functions.
    count: usize,
    /// Bytes of memory that the libraries take.
    bytes: usize,
}

/// A library, or the text of one that is to be loaded.
#[derive(Debug)]
pub struct Library {
    /// Its number. Each library that is loaded gets another one.
    pub number: u64,
    /// Its name.
    pub name: Vec<u8>,
    /// Its text.
    pub code: Arc<[u8]>,
    /// Bytes of the first line, which is not Lua.
    first_line: usize,
    /// What it has registered, in the order of the names.
    pub functions: Vec<Registered>,
}

impl Library {
    /// Reads the first line of a library, which has registered nothing yet.
    ///
    /// # Errors
    /// What is wrong with that line.
    pub fn read(code: &[u8]) -> Result<Library, Failure> {
        let shebang = match Shebang::read(code) {
            None => return Err(Failure::text("ERR Missing library metadata")),
            Some(Err(_)) => return Err(Failure::text("ERR Invalid library metadata")),
            Some(Ok(shebang)) => shebang,
        };
        let mut name = None;
        for word in &shebang.options {
            match word.split_at_checked(b"name=".len()) {
                Some((option, value)) if option.eq_ignore_ascii_case(b"name=") => {
                    if name.replace(value).is_some() {
                        return Err(Failure::text(
                            "ERR Invalid metadata value, name argument was given multiple times",
                        ));
                    }
                }
                _ => return Err(Failure::quoting("ERR Invalid metadata value given: ", word, "")),
            }
        }
        let name = name.ok_or(Failure::text("ERR Library name was not given"))?;
        if !is_name(name) {
            return Err(Failure::telling(format!("ERR {BAD_NAME}")));
        }
        if !shebang.engine.eq_ignore_ascii_case(b"lua") {
            return Err(Failure::quoting("ERR Engine '", &shebang.engine, "' not found"));
        }
        let (name, first_line) = (name.to_vec(), code.len() - shebang.rest.len());
        Ok(Library { number: 0, name, code: Arc::from(code), first_line, functions: Vec::new() })
    }

    /// The text without its first line, but with the end of that line.
    pub fn source(&self) -> &[u8] {
        &self.code[self.first_line..]
    }

    /// Bytes of memory that it takes outside the interpreter, estimated.
    fn memory(&self) -> usize {
        let of = |function: &Registered| {
            2 * function.name.len() + function.description.as_ref().map_or(0, Vec::len) + ENTRY_BYTES
        };
        self.code.len() + 2 * self.name.len() + ENTRY_BYTES + self.functions.iter().map(of).sum::<usize>()
    }
}

impl Functions {
    /// An empty set of libraries, whose numbers follow those of this set.
    pub fn successor(&self) -> Functions {
        Functions { last_number: self.last_number, ..Functions::default() }
    }

    /// A number for the next library.
    pub fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// The numbers of the next libraries follow those of another set.
    pub fn follow(&mut self, other: &Functions) {
        self.last_number = self.last_number.max(other.last_number);
    }

    /// The library with this function, and the position of the function in its list.
    pub fn find(&self, name: &[u8]) -> Option<(Arc<Library>, usize)> {
        let found = self.by_name.get(name).or_else(|| self.by_name.get(&name.to_ascii_lowercase()))?;
        Some(found.clone())
    }

    /// The library of this name.
    pub fn library(&self, name: &[u8]) -> Option<&Arc<Library>> {
        self.libraries.get(name)
    }

    /// All libraries, in the order of their names.
    pub fn libraries(&self) -> impl ExactSizeIterator<Item = &Arc<Library>> + Clone {
        self.libraries.values()
    }

    /// Number of functions.
    pub fn len(&self) -> usize {
        self.count
    }

    /// True if there are no libraries.
    pub fn is_empty(&self) -> bool {
        self.libraries.is_empty()
    }

    /// Bytes of memory that they take outside the interpreter, estimated.
    pub fn memory(&self) -> usize {
        self.bytes
    }

    /// Checks that libraries may be added that take the place of those with the same names: there is room for them, and none of
    /// their functions has the name of one that stays.
    ///
    /// # Errors
    /// What they collide with.
    pub fn check<'a>(
        &self,
        added: impl ExactSizeIterator<Item = &'a Library> + Clone,
        stays: impl Fn(&Library) -> bool,
    ) -> Result<(), Failure> {
        let staying = self.libraries().filter(|library| stays(library)).count();
        if staying + added.len() > LIBRARIES_MAX {
            return Err(Failure::telling(format!("ERR there may be {LIBRARIES_MAX} libraries at most")));
        }
        for function in added.flat_map(|library| &library.functions) {
            let same = self.by_name.get(&function.name.to_ascii_lowercase());
            if same.is_some_and(|(owner, _)| stays(owner)) {
                return Err(Failure::quoting("ERR Function ", &function.name, " already exists"));
            }
        }
        Ok(())
    }

    /// Adds a library. There must be none of its name, and [`Functions::check`] must have passed it.
    pub fn link(&mut self, library: Arc<Library>) {
        for (at, function) in library.functions.iter().enumerate() {
            // A library may have two functions whose names differ in upper and lower case only. One of them can be called.
            let name = function.name.to_ascii_lowercase();
            self.by_name.entry(name).or_insert_with(|| (Arc::clone(&library), at));
        }
        self.count += library.functions.len();
        self.bytes += library.memory();
        self.libraries.insert(library.name.clone(), library);
    }

    /// Takes a library away.
    pub fn unlink(&mut self, name: &[u8]) -> Option<Arc<Library>> {
        let library = self.libraries.remove(name)?;
        for function in &library.functions {
            let name = function.name.to_ascii_lowercase();
            if self.by_name.get(&name).is_some_and(|(owner, _)| owner.number == library.number) {
                self.by_name.remove(&name);
            }
        }
        self.count -= library.functions.len();
        self.bytes -= library.memory();
        Some(library)
    }
}
