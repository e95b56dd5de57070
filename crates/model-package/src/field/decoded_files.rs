//! Which tensors image files have been decoded to, so that a file that comes again is decoded only if the model runs.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, PoisonError},
};

use super::tensors::Digest;

/// The SHA-256 of a file.
pub(super) type FileDigest = [u8; 32];

/// The most files of a generation. Both generations together take less than a megabyte.
const GENERATION: usize = 4_096;

/// The digests of the tensors, by the file's. A file that has not come for as long as [`GENERATION`] others is forgotten.
#[derive(Debug, Default)]
pub(super) struct DecodedFiles(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    new: HashMap<FileDigest, Digest>,
    old: HashMap<FileDigest, Digest>,
}

impl DecodedFiles {
    /// The digest of the file's tensors, if it has been decoded before.
    pub(super) fn find(&self, file: &FileDigest) -> Option<Digest> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tensors) = generations.new.get(file) {
            return Some(*tensors);
        }
        let tensors = generations.old.remove(file)?;
        generations.add(*file, tensors);
        Some(tensors)
    }

    pub(super) fn add(&self, file: FileDigest, tensors: Digest) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(file, tensors);
    }
}

impl Generations {
    fn add(&mut self, file: FileDigest, tensors: Digest) {
        if self.new.len() == GENERATION {
            self.old = mem::take(&mut self.new);
        }
        self.new.insert(file, tensors);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_come_again_stay_known_and_the_others_are_forgotten() {
        let files = DecodedFiles::default();
        let file = |number: usize| {
            let mut digest = FileDigest::default();
            digest[..8].copy_from_slice(&number.to_le_bytes());
            digest
        };
        files.add(file(0), [7; 16]);
        files.add(file(1), [8; 16]);
        for number in 2..3 * GENERATION {
            files.add(file(number), [9; 16]);
            if number % 1_000 == 0 {
                assert_eq!(files.find(&file(0)), Some([7; 16]), "{number}");
            }
        }
        assert_eq!(files.find(&file(1)), None);
        let generations = files.0.lock().expect("no test panicked");
        assert!(generations.new.len() + generations.old.len() <= 2 * GENERATION);
    }
}
