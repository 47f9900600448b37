//! Static sites: files that a web server serves as they are. A site that Node builds is a Node project whose output
//! is served; here only what needs no build is recognised, and the servers' own configuration.

use super::{Details, Evidence, Project, Stack, paths};
use crate::catalog::Catalog;
use crate::context::Context;

/// The stack of plain files.
pub(super) struct StaticStack;

/// What is known of a static site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StaticSite {
    /// Folders with an `index.html`, paths in the context, the shallowest first; none of them within another.
    pub folders: Vec<String>,
    /// Configuration of web servers.
    pub servers: Vec<ServerConfig>,
}

/// The configuration of a web server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Which server reads it.
    pub server: Server,
    /// Path in the context.
    pub path: String,
    /// Ports that it listens on.
    pub ports: Vec<u16>,
    /// Folders of the image that it serves (`root`, `DocumentRoot`).
    pub roots: Vec<String>,
    /// Whether it passes requests on to another program, so that files are not all there is.
    pub is_proxy: bool,
    /// Whether it runs processes as a user that it names (`user nginx;`): it expects to start as root.
    pub names_user: bool,
}

/// Web servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// nginx
    Nginx,
    /// Apache httpd
    Httpd,
    /// Caddy
    Caddy,
}

/// Folders that hold no site of the project, whatever stands in them.
const OTHERS: &[&str] = &[
    "node_modules",
    ".git",
    "vendor",
    "test",
    "tests",
    "docs",
    "coverage",
    "venv",
    ".venv",
    "templates",
    "examples",
    "__tests__",
];

/// Manifests of projects that build what they serve.
const BUILT: &[&str] = &[
    "package.json",
    "pyproject.toml",
    "requirements.txt",
    "go.mod",
    "Cargo.toml",
    "pom.xml",
    "Gemfile",
    "composer.json",
];

impl Stack for StaticStack {
    fn name(&self) -> &'static str {
        "static"
    }

    fn detect(&self, root: &str, context: &Context, _: &Catalog) -> Option<Project> {
        if BUILT
            .iter()
            .any(|name| context.has(&paths::join(root, name)))
        {
            return None;
        }
        let mut folders: Vec<&str> = paths::files(context, root)
            .filter(|path| paths::file_name(path) == "index.html")
            .map(paths::parent)
            .filter(|folder| !folder.split('/').any(|part| OTHERS.contains(&part)))
            .collect();
        folders.sort_by_key(|folder| (folder.len(), *folder));
        let mut outer: Vec<String> = Vec::new();
        for folder in folders {
            if !outer
                .iter()
                .any(|known| paths::below(known, folder).is_some())
            {
                outer.push(folder.to_owned());
            }
        }
        if outer.is_empty() {
            return None;
        }
        let servers = server_configs(context, root);
        let mut ports: Vec<u16> = servers
            .iter()
            .flat_map(|config| config.ports.iter().copied())
            .collect();
        ports.sort_unstable();
        ports.dedup();
        let mut evidence: Vec<Evidence> = outer
            .iter()
            .map(|folder| Evidence::new("files of a web site", &paths::join(folder, "index.html")))
            .collect();
        evidence.extend(servers.iter().map(|config| {
            Evidence::new(&format!("{:?} configuration", config.server), &config.path)
        }));
        Some(Project {
            root: root.to_owned(),
            language_version: None,
            package_manager: None,
            manifests: Vec::new(),
            locks: Vec::new(),
            ports,
            evidence,
            findings: Vec::new(),
            details: Details::StaticSite(StaticSite {
                folders: outer,
                servers,
            }),
        })
    }
}

/// The configuration files of web servers below `root`, known by their names.
#[must_use]
pub fn server_configs(context: &Context, root: &str) -> Vec<ServerConfig> {
    paths::files(context, root)
        .filter_map(|path| {
            let name = paths::file_name(path);
            let in_nginx = path
                .split('/')
                .any(|part| part == "nginx" || part == "conf.d");
            let server = match name {
                "nginx.conf" | "default.conf" | "nginx.conf.template" | "default.conf.template" => {
                    Server::Nginx
                }
                "httpd.conf" | "apache2.conf" | "000-default.conf" => Server::Httpd,
                "Caddyfile" => Server::Caddy,
                name if name.ends_with(".conf") && in_nginx => Server::Nginx,
                _ => return None,
            };
            Some(read_config(server, path, &paths::any_text(context, path)?))
        })
        .collect()
}

fn read_config(server: Server, path: &str, text: &str) -> ServerConfig {
    let mut config = ServerConfig {
        server,
        path: path.to_owned(),
        ports: Vec::new(),
        roots: Vec::new(),
        is_proxy: false,
        names_user: false,
    };
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or(line).trim();
        // `server { listen 80; root /a; }` may stand on one line.
        for statement in line.split([';', '{', '}']) {
            let mut words = statement.split_whitespace();
            let (Some(directive), argument) = (words.next(), words.next().unwrap_or("")) else {
                continue;
            };
            match (server, directive) {
                (Server::Nginx, "listen") | (Server::Httpd, "Listen") => {
                    config.ports.extend(port(argument))
                }
                (Server::Nginx, "root") | (Server::Httpd, "DocumentRoot") => {
                    config
                        .roots
                        .push(argument.trim_matches(['"', '\'']).to_owned());
                }
                (Server::Nginx, "user") | (Server::Httpd, "User") => config.names_user = true,
                (Server::Nginx, "proxy_pass" | "fastcgi_pass" | "uwsgi_pass" | "grpc_pass")
                | (Server::Httpd, "ProxyPass")
                | (Server::Caddy, "reverse_proxy" | "php_fastcgi") => config.is_proxy = true,
                // `root * /srv`, `root /srv`
                (Server::Caddy, "root") => {
                    let folder = if argument == "*" {
                        words.next().unwrap_or("")
                    } else {
                        argument
                    };
                    config.roots.push(folder.to_owned());
                }
                (Server::Caddy, address) => config
                    .ports
                    .extend(address.strip_prefix(':').and_then(port)),
                _ => {}
            }
        }
    }
    config.ports.sort_unstable();
    config.ports.dedup();
    config
}

/// The port in `80`, `[::]:8080`, `0.0.0.0:80`.
fn port(address: &str) -> Option<u16> {
    address
        .rsplit(':')
        .next()?
        .trim_matches(['"', '\'', ','])
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(files: &[(&str, &str)]) -> Option<(StaticSite, Vec<u16>)> {
        let context = Context::in_memory(files.iter().copied());
        let project = StaticStack.detect("", &context, &Catalog::default())?;
        let Details::StaticSite(site) = project.details else {
            return None;
        };
        Some((site, project.ports))
    }

    #[test]
    fn plain_files_with_a_server() {
        let (site, ports) = detect(&[
            ("site/index.html", ""),
            ("site/blog/index.html", ""),
            ("docs/index.html", ""),
            ("nginx.conf", "user nginx;\nserver { listen 8080 default_server; listen [::]:8080; # listen 1;\n root /usr/share/nginx/html; }"),
        ])
        .expect("it is a site");
        assert_eq!(site.folders, ["site"]);
        assert_eq!(ports, [8080]);
        let config = &site.servers[0];
        assert_eq!(config.roots, ["/usr/share/nginx/html"]);
        assert!(config.names_user && !config.is_proxy);
    }

    #[test]
    fn other_servers() {
        let caddy = read_config(
            Server::Caddy,
            "Caddyfile",
            ":8080 {\n root * /srv\n file_server\n reverse_proxy api:3000\n}",
        );
        assert_eq!(
            (caddy.ports, caddy.roots, caddy.is_proxy),
            (vec![8080], vec!["/srv".to_owned()], true)
        );
        let httpd = read_config(
            Server::Httpd,
            "httpd.conf",
            "Listen 8081\nDocumentRoot \"/var/www\"\nUser daemon",
        );
        assert_eq!(
            (httpd.ports, httpd.roots, httpd.names_user),
            (vec![8081], vec!["/var/www".to_owned()], true)
        );
    }

    #[test]
    fn what_is_built_is_no_plain_site() {
        assert!(detect(&[("index.html", ""), ("package.json", "{}")]).is_none());
        assert!(detect(&[("main.c", "")]).is_none());
    }
}
