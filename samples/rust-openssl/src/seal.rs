use openssl::error::ErrorStack;
use openssl::hash::{hash, MessageDigest};

/// The SHA-256 of `text`, in hexadecimal digits.
pub fn seal(text: &[u8]) -> Result<String, ErrorStack> {
    let digest = hash(MessageDigest::sha256(), text)?;
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}
