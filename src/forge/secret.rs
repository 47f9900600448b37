//! The token of a forge, which is shown nowhere.

use std::fmt;
use std::path::Path;

/// Longer texts are no tokens.
const LONGEST: usize = 4096;

/// A token. It has no way to be printed: `Debug` gives stars, and there is no `Display`.
#[derive(Clone)]
pub struct Token(String);

/// Why a token cannot be used. No message holds the token or a part of it.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The variable or the file holds none.
    #[error("{0} holds no token")]
    Empty(String),
    /// It would break a header or the protocol of git's credential helpers.
    #[error("the token in {0} holds a space or a control character; it was pasted wrongly")]
    Characters(String),
    /// The file cannot be read.
    #[error("the token file {path} cannot be read: {cause}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        cause: std::io::Error,
    },
    /// Others can read the file.
    #[error("the token file {path} can be read by other users; run `chmod 600 {path}`")]
    Open {
        /// The file.
        path: String,
    },
}

impl Token {
    /// The token `text`, which comes from `place` as messages name it.
    ///
    /// # Errors
    /// When it is empty or cannot be one.
    pub fn new(text: &str, place: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TokenError::Empty(place.to_owned()));
        }
        if text.len() > LONGEST || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Characters(place.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The token in the file or pipe at `path`. A regular file must be readable by its owner only.
    ///
    /// # Errors
    /// When it cannot be read, is open to others, or holds no token.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let shown = path.display().to_string();
        let read = |cause| TokenError::Read {
            path: shown.clone(),
            cause,
        };
        let metadata = std::fs::metadata(path).map_err(read)?;
        if metadata.is_file() && is_open(&metadata) {
            return Err(TokenError::Open { path: shown });
        }
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(read)?;
        std::io::Read::read_to_string(
            &mut std::io::Read::take(file, LONGEST as u64 + 1),
            &mut text,
        )
        .map_err(read)?;
        Self::new(&text, &shown)
    }

    /// `text` with stars where the token stands, plain or percent-encoded.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let plain = text.replace(&self.0, "***");
        plain.replace(&super::http::encode(&self.0), "***")
    }

    /// The token itself: for a header or a pipe, never for an argument, an address or a message.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

#[cfg(unix)]
fn is_open(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open(_metadata: &std::fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_printed() {
        let token = Token::new("s3cr3t/+\n", "X").expect("a token");
        assert_eq!(format!("{token:?}"), "Token(***)");
        assert_eq!(
            token.redact("https://s3cr3t/+@h and s3cr3t%2F%2B"),
            "https://***@h and ***"
        );
        for bad in ["", " \n", "a b", "a\u{1b}[0m", "a\nb"] {
            let error = Token::new(bad, "the variable X").expect_err(bad);
            assert!(!error.to_string().contains("a b"), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_token_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("token");
        std::fs::write(&path, "s3cr3t\n").expect("written");
        for (mode, fine) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
            let token = Token::read(&path);
            assert_eq!(token.is_ok(), fine, "{mode:o}");
            if let Err(error) = token {
                assert!(!error.to_string().contains("s3cr3t"));
            }
        }
    }
}
