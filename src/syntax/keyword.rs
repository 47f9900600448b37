/// The instructions of a Dockerfile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "named as in the Dockerfile reference")]
pub enum Keyword {
    Add,
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Label,
    Maintainer,
    Onbuild,
    Run,
    Shell,
    Stopsignal,
    User,
    Volume,
    Workdir,
    /// A word that BuildKit does not know: the file is refused.
    Unknown,
}

/// Every keyword that BuildKit knows, with its name in capitals.
const NAMES: [(Keyword, &str); 18] = [
    (Keyword::Run, "RUN"),
    (Keyword::Env, "ENV"),
    (Keyword::Copy, "COPY"),
    (Keyword::From, "FROM"),
    (Keyword::Workdir, "WORKDIR"),
    (Keyword::Arg, "ARG"),
    (Keyword::Add, "ADD"),
    (Keyword::Cmd, "CMD"),
    (Keyword::Label, "LABEL"),
    (Keyword::Expose, "EXPOSE"),
    (Keyword::Entrypoint, "ENTRYPOINT"),
    (Keyword::User, "USER"),
    (Keyword::Volume, "VOLUME"),
    (Keyword::Maintainer, "MAINTAINER"),
    (Keyword::Healthcheck, "HEALTHCHECK"),
    (Keyword::Onbuild, "ONBUILD"),
    (Keyword::Shell, "SHELL"),
    (Keyword::Stopsignal, "STOPSIGNAL"),
];

impl Keyword {
    /// The name in capitals; empty for [`Keyword::Unknown`].
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES
            .iter()
            .find(|(keyword, _)| *keyword == self)
            .map_or("", |(_, name)| name)
    }

    /// The keyword that `word` spells, in whatever case.
    pub(super) fn of(word: &[u8]) -> Self {
        NAMES
            .iter()
            .find(|(_, name)| word.eq_ignore_ascii_case(name.as_bytes()))
            .map_or(Keyword::Unknown, |(keyword, _)| *keyword)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_known_in_any_case() {
        assert_eq!(Keyword::of(b"healthCheck"), Keyword::Healthcheck);
        assert_eq!(Keyword::of(b"RUNS"), Keyword::Unknown);
        assert_eq!(Keyword::Stopsignal.name(), "STOPSIGNAL");
    }
}
