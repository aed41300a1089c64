//! What is kept between two times that GitHub is asked. Losing it costs requests and nothing else: what counts stands in
//! the index.

use super::{
    StoreError,
    root::{POLLED, POLLED_TEMPORARY, Root},
};
use serde::{Serialize, de::DeserializeOwned};

/// Longest such file that is read.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Reads it; what is usual where there is none, or none that can be read.
pub fn read<T: DeserializeOwned + Default>(root: &Root) -> T {
    let text = root.folder().read(POLLED, BYTES_MAX).ok().flatten();
    text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Writes it.
pub fn write<T: Serialize>(root: &Root, kept: &T) -> Result<(), StoreError> {
    let failed = |error| StoreError::System { doing: "write", path: root.path().join(POLLED), error };
    let text = serde_json::to_vec(kept).map_err(|error| failed(error.into()))?;
    root.folder().replace(POLLED, POLLED_TEMPORARY, &text, false).map_err(failed)
}
