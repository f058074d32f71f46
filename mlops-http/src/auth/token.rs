//! One token out of a file that nobody else can read, kept as its digest.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use http::header;
use http::request::Parts;

use super::{Authorize, Denied, Principal, Scope, Scopes};

/// The least number of characters in a token.
pub const SHORTEST: usize = 16;
const LONGEST: u64 = 4096;

/// Why a token can't be used. The token itself is never part of the message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The file can't be read.
    #[error("cannot read the token file: path={}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others than its owner can read or change the file.
    #[error(
        "the token file is open to others, run `chmod 600 {}`: mode={mode:03o}", path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The token is missing, too short, too long, or holds what no header may.
    #[error("{reason}")]
    Unusable {
        /// What is wrong with it.
        reason: String,
    },
}

/// Lets in who shows the one token, with the scopes that it holds (all of them unless said otherwise).
///
/// Only the BLAKE3 digest of the token is kept; digests are compared in constant time.
#[derive(Clone)]
pub struct BearerToken {
    digest: blake3::Hash,
    scopes: Scopes,
    principal: Principal,
}

impl BearerToken {
    /// A token that is given as text: 16 to 4096 visible ASCII characters.
    ///
    /// # Errors
    /// [`TokenError::Unusable`].
    pub fn new(token: &str) -> Result<Self, TokenError> {
        let unusable = |reason: String| Err(TokenError::Unusable { reason });
        let length = token.len();
        if length < SHORTEST {
            return unusable(format!(
                "the token is too short: characters={length} least={SHORTEST}"
            ));
        }
        if length as u64 > LONGEST {
            return unusable(format!("the token is too long: characters={length} most={LONGEST}"));
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return unusable("the token holds other than visible ASCII characters".to_owned());
        }
        let digest = blake3::hash(token.as_bytes());
        Ok(Self { digest, scopes: Scopes::ALL, principal: Principal::new("token") })
    }

    /// Reads the token from a file, white space around it left out. On Unix, the file may be open
    /// to its owner alone.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, TokenError> {
        let path = path.as_ref();
        let failed = |source| TokenError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        refuse_exposed(&file, path)?;
        let mut text = String::new();
        file.take(LONGEST + 2).read_to_string(&mut text).map_err(failed)?;
        let token = text.trim();
        if token.is_empty() {
            let reason = format!("the token file is empty: path={}", path.display());
            return Err(TokenError::Unusable { reason });
        }
        Self::new(token)
    }

    /// Sets what the token may do.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// Sets the name of whoever shows the token.
    #[must_use]
    pub fn with_principal(mut self, principal: Principal) -> Self {
        self.principal = principal;
        self
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerToken")
            .field("digest", &"..")
            .field("scopes", &self.scopes)
            .field("principal", &self.principal)
            .finish()
    }
}

impl Authorize for BearerToken {
    fn authorize(&self, head: &Parts, scope: Scope) -> Result<Principal, Denied> {
        if scope == Scope::Public {
            return Ok(self.principal.clone());
        }
        let token = bearer(head).ok_or(Denied::Unknown)?;
        // blake3's comparison of digests takes the same time wherever they differ.
        if blake3::hash(token) != self.digest {
            return Err(Denied::Unknown);
        }
        if !self.scopes.holds(scope) {
            return Err(Denied::Scope { scope });
        }
        Ok(self.principal.clone())
    }
}

/// The token in the one `Authorization: Bearer` header; none when there are two headers.
pub fn bearer(head: &Parts) -> Option<&[u8]> {
    let mut values = head.headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?.as_bytes();
    let (scheme, token) = value.split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(unix)]
fn refuse_exposed(file: &File, path: &Path) -> Result<(), TokenError> {
    use std::os::unix::fs::PermissionsExt as _;

    let metadata =
        file.metadata().map_err(|source| TokenError::Io { path: path.to_owned(), source })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(TokenError::Exposed { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_exposed(_file: &File, _path: &Path) -> Result<(), TokenError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef-secret";

    fn head(headers: &[&str]) -> Parts {
        let mut request = http::Request::new(());
        for value in headers {
            request.headers_mut().append("authorization", value.parse().unwrap());
        }
        request.into_parts().0
    }

    #[test]
    fn only_the_token_lets_in() {
        let token = BearerToken::new(TOKEN).unwrap();
        let right = format!("Bearer {TOKEN}");
        let ask = |headers: &[&str]| token.authorize(&head(headers), Scope::Read);
        assert_eq!(ask(&[&right]).unwrap().name(), "token");
        assert!(ask(&[&right.replace("Bearer", "bEARER")]).is_ok());
        let longer = format!("{right}x");
        let basic = format!("Basic {TOKEN}");
        for wrong in
            ["", "Bearer", "Bearer ", "Bearer x", &longer, &right[..right.len() - 1], &basic, TOKEN]
        {
            assert_eq!(ask(&[wrong]), Err(Denied::Unknown), "{wrong}");
        }
        assert_eq!(ask(&[]), Err(Denied::Unknown));
        assert_eq!(ask(&[&right, &right]), Err(Denied::Unknown));
    }

    #[test]
    fn a_scope_that_is_not_held_is_denied() {
        let token = BearerToken::new(TOKEN).unwrap().with_scopes(Scopes::of(&[Scope::Read]));
        let head = head(&[&format!("Bearer {TOKEN}")]);
        assert!(token.authorize(&head, Scope::Read).is_ok());
        let denied = token.authorize(&head, Scope::Delete);
        assert_eq!(denied, Err(Denied::Scope { scope: Scope::Delete }));
    }

    #[test]
    fn the_token_is_never_printed() {
        let token = BearerToken::new(TOKEN).unwrap();
        let text = format!("{token:?}");
        assert!(!text.contains("secret") && !text.contains(&token.digest.to_hex()[..8]), "{text}");
        let text = format!("{:?}", BearerToken::new("short-secret").unwrap_err());
        assert!(!text.contains("secret"), "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_way_to_mend_it() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, format!("\n {TOKEN} \n")).unwrap();
        for (mode, open) in
            [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o620, true)]
        {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let loaded = BearerToken::from_file(&path);
            match loaded {
                Err(error @ TokenError::Exposed { .. }) if open => {
                    assert!(error.to_string().contains("chmod 600"), "{error}");
                    assert!(!error.to_string().contains("secret"), "{error}");
                }
                other => assert!(!open && other.is_ok(), "{mode:o}: {other:?}"),
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_without_a_usable_token_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let long = "x".repeat(5000);
        for (text, word) in [
            ("", "empty"),
            (" \n\t ", "empty"),
            ("fifteen-letters", "short"),
            ("two tokens in one line", "visible"),
            (&*long, "long"),
        ] {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            let error = BearerToken::from_file(&path).unwrap_err();
            assert!(error.to_string().contains(word), "{text:?}: {error}");
        }
        let error = BearerToken::from_file(folder.path().join("absent")).unwrap_err();
        assert!(matches!(error, TokenError::Io { .. }));
    }
}
