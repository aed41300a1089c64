//! Idempotency keys: what makes a repeated submission the same submission.

use super::{Timestamp, bytes::Bytes};
use chrono::TimeDelta;
use sha2::{Digest, Sha256};

/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 200;

/// Hexadecimal digits of a hash in a key: 64 bits, which two different commands share once in 4 billion keys.
const HASH_CHARS: usize = 16;

/// A key of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub text: String,
    /// How long it stays taken after the job's end.
    pub ttl_seconds: u64,
}

/// Until when a key stays taken after an end.
pub fn expires_at(ended_at: Timestamp, ttl_seconds: u64) -> Timestamp {
    let span = i64::try_from(ttl_seconds).ok().and_then(TimeDelta::try_seconds);
    span.and_then(|span| ended_at.checked_add_signed(span)).unwrap_or(Timestamp::MAX_UTC)
}

/// The key of a command: `entrypoint:paramsHash`, and `:planHash` behind it where one is given.
///
/// The entry point is the program's name without its folder; the hash is that of all arguments, the program's path among
/// them, and of the working directory.
pub fn of_command(argv: &[Bytes], cwd: &Bytes, plan_hash: Option<&str>) -> String {
    let program = argv.first().map(Bytes::to_text).unwrap_or_default();
    let entry_point: String = program.rsplit('/').next().unwrap_or_default().chars().take(64).collect();
    let hash = hash_of(argv.iter().chain([cwd]).map(Bytes::as_slice));
    let plan = plan_hash.map(|hash| format!(":{hash}")).unwrap_or_default();
    format!("{entry_point}:{hash}{plan}")
}

/// The hash of some parts, which are told apart: `ab`, `c` has another than `a`, `bc`.
pub fn hash_of<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut hash: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    hash.truncate(HASH_CHARS);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(argv: &[&str], cwd: &str, plan: Option<&str>) -> String {
        let argv: Vec<Bytes> = argv.iter().map(|word| Bytes::try_from(*word).unwrap()).collect();
        of_command(&argv, &Bytes::try_from(cwd).unwrap(), plan)
    }

    #[test]
    fn a_key_is_made_of_the_program_the_arguments_and_the_folder() {
        let one = key(&["/usr/bin/make", "-j4"], "/a", None);
        assert!(one.starts_with("make:"), "{one}");
        assert_eq!(one.len(), "make:".len() + HASH_CHARS);
        assert_eq!(one, key(&["/usr/bin/make", "-j4"], "/a", None));
        assert_ne!(one, key(&["/usr/bin/make", "-j4"], "/b", None));
        assert_ne!(one, key(&["/usr/bin/make", "-j", "4"], "/a", None));
        assert_ne!(key(&["a", "bc"], "/", None), key(&["ab", "c"], "/", None));
        assert_eq!(format!("{one}:v2"), key(&["/usr/bin/make", "-j4"], "/a", Some("v2")));
    }
}
