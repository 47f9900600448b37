//! Rewrites of samples that are broken on purpose, and what has to be said about each.

/// A result of docker-diet in which one thing was broken.
pub(crate) struct Seeded {
    /// The sample.
    pub(crate) sample: &'static str,
    /// What was broken.
    pub(crate) what: &'static str,
    /// Texts of the rewritten Dockerfile, and what is put in their place.
    pub(crate) edits: &'static [(&'static str, &'static str)],
    /// The kind of the first fault that has to be named.
    pub(crate) cause: &'static str,
    /// A part of what is said about it.
    pub(crate) says: &'static str,
}

/// All of them, by sample.
pub(crate) const SEEDED: &[Seeded] = &[
    Seeded {
        sample: "python-psycopg2-source",
        what: "library dropped",
        edits: &[(
            "--no-install-recommends libpq5",
            "--no-install-recommends netbase",
        )],
        cause: "library",
        says: "libpq.so.5",
    },
    Seeded {
        sample: "python-psycopg2-source",
        what: "virtual environment forgotten",
        edits: &[("COPY --from=build /opt/venv /opt/venv\n", "")],
        cause: "program",
        says: "gunicorn is in no folder of PATH",
    },
    Seeded {
        sample: "python-psycopg2-source",
        what: "application forgotten",
        edits: &[("COPY . /app", "COPY requirements.txt /app/")],
        cause: "exit",
        says: "ModuleNotFoundError: No module named 'app'",
    },
    Seeded {
        sample: "python-psycopg2-source",
        what: "wrong base, another Python",
        edits: &[("FROM python:3.12-slim", "FROM python:3.11-slim")],
        cause: "version",
        says: "Python is 3.11, and 3.12 in the original",
    },
    Seeded {
        sample: "python-flask",
        what: "wrong CMD",
        edits: &[("app:create_app()", "app:app")],
        cause: "contract",
        says: "CMD is",
    },
    Seeded {
        sample: "python-flask",
        what: "user that does not exist",
        edits: &[("RUN useradd --create-home --uid 10001 app\n", "")],
        cause: "user",
        says: "there is no user `app`",
    },
    Seeded {
        sample: "python-flask",
        what: "user forgotten",
        edits: &[("USER app\n", "")],
        cause: "contract",
        says: "USER is root, and the rewrite declares app",
    },
    Seeded {
        sample: "python-flask",
        what: "unreadable folder",
        edits: &[("COPY . /srv/orders", "COPY --chmod=700 . /srv/orders")],
        cause: "permission",
        says: "/srv/orders",
    },
    Seeded {
        sample: "python-flask",
        what: "port not exposed",
        edits: &[("EXPOSE 8000\n", "")],
        cause: "contract",
        says: "8000/tcp is gone",
    },
    Seeded {
        sample: "python-flask",
        what: "health check lost",
        edits: &[(
            "HEALTHCHECK --interval=30s CMD curl -fsS http://localhost:8000/healthz || exit 1\n",
            "",
        )],
        cause: "contract",
        says: "HEALTHCHECK changed",
    },
    Seeded {
        sample: "python-flask",
        what: "variable lost",
        edits: &[("ENV PORT=\"8000\"\n", "")],
        cause: "contract",
        says: "PORT=8000 is gone",
    },
    Seeded {
        sample: "node-express",
        what: "another name of the script",
        edits: &[("COPY . .", "COPY . .\nRUN mv src/server.js src/main.js")],
        cause: "file",
        says: "/usr/src/app/src/server.js",
    },
    Seeded {
        sample: "node-express",
        what: "pages forgotten",
        edits: &[("COPY . .", "COPY src ./src")],
        cause: "answer",
        says: "GET / gives 404",
    },
    Seeded {
        sample: "node-express",
        what: "dependencies forgotten",
        edits: &[("RUN npm ci && npm cache clean --force\n", "")],
        cause: "exit",
        says: "Cannot find module 'express'",
    },
    Seeded {
        sample: "node-express",
        what: "wrong base, another Node",
        edits: &[("FROM node:22-slim", "FROM node:20-slim")],
        cause: "version",
        says: "Node is 20, and 22 in the original",
    },
    Seeded {
        sample: "node-express",
        what: "another program in front, which hears no signal",
        edits: &[(
            "CMD [\"node\", \"src/server.js\"]",
            "ENTRYPOINT [\"sh\", \"-c\", \"\\\"$@\\\"; true\", \"--\"]\nCMD [\"node\", \"src/server.js\"]",
        )],
        cause: "contract",
        says: "ENTRYPOINT changed",
    },
    Seeded {
        sample: "go-templates-on-disk",
        what: "wrong architecture",
        edits: &[(
            "CGO_ENABLED=0 go build",
            "CGO_ENABLED=0 GOARCH=arm64 go build",
        )],
        cause: "architecture",
        says: "/app/server is a program for arm64",
    },
    Seeded {
        sample: "go-templates-on-disk",
        what: "templates forgotten",
        edits: &[("COPY templates ./templates\n", "")],
        cause: "exit",
        says: "templates",
    },
    Seeded {
        sample: "go-templates-on-disk",
        what: "static files forgotten",
        edits: &[("COPY static ./static\n", "")],
        cause: "answer",
        says: "GET /static/card.css gives 404",
    },
    Seeded {
        sample: "go-templates-on-disk",
        what: "CA certificates missing",
        edits: &[(
            "FROM gcr.io/distroless/static-debian13:nonroot",
            "FROM scratch\nUSER 65532",
        )],
        cause: "certificates",
        says: "/etc/ssl/certs/ca-certificates.crt is gone",
    },
    Seeded {
        sample: "cpp-cmake",
        what: "wrong base, without the C library",
        edits: &[(
            "FROM gcr.io/distroless/cc-debian13",
            "FROM gcr.io/distroless/static-debian13",
        )],
        cause: "interpreter",
        says: "ld-linux-x86-64.so.2",
    },
    Seeded {
        sample: "cpp-cmake",
        what: "wrong base, without the C++ library",
        edits: &[(
            "FROM gcr.io/distroless/cc-debian13",
            "FROM gcr.io/distroless/base-debian13",
        )],
        cause: "library",
        says: "/roman/build/roman needs libgcc_s.so.1 and libstdc++.so.6",
    },
    Seeded {
        sample: "c-make",
        what: "program forgotten",
        edits: &[(
            "COPY --from=build /usr/src/squeeze/squeeze ./",
            "COPY --from=build /usr/src/squeeze/Makefile ./",
        )],
        cause: "program",
        says: "/usr/src/squeeze/squeeze is not in the image",
    },
    Seeded {
        sample: "c-make",
        what: "program that may not be run",
        edits: &[(
            "COPY --from=build /usr/src/squeeze/squeeze ./",
            "COPY --chmod=644 --from=build /usr/src/squeeze/squeeze ./",
        )],
        cause: "permission",
        says: "may not run",
    },
    Seeded {
        sample: "c-make",
        what: "does not build",
        edits: &[("RUN make\n", "RUN make install-all\n")],
        cause: "build",
        says: "install-all",
    },
    Seeded {
        sample: "java-maven-modules",
        what: "archive in another folder",
        edits: &[("./app/target/", "./target/")],
        cause: "file",
        says: "/clock/app/target/clock.jar",
    },
];
