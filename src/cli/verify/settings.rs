//! The section `verify` of the configuration.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor, value};
use serde::{Deserialize, Serialize};

/// How `verify` tries images.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(in crate::cli) struct Verify {
    /// What is asked of the running container: one probe, or a list; `/` without one.
    pub(super) probe: Probes,
    /// Its environment.
    pub(super) env: BTreeMap<String, String>,
    /// What takes the place of CMD.
    pub(super) command: Vec<String>,
    /// Paths in the container at which new volumes are mounted.
    pub(super) volumes: Vec<String>,
    /// What runs beside it, by the name under which it is reached.
    pub(super) services: BTreeMap<String, Service>,
    /// Seconds until the first answer, or until a program has ended.
    pub(super) wait: Option<u64>,
    /// The network of RUN.
    pub(super) network: Option<String>,
    /// `NAME: value`
    pub(super) build_args: BTreeMap<String, String>,
    /// The source file that is edited before the second build, from the root of the context.
    pub(super) edit: Option<String>,
}

/// `/healthz`, a mapping, or a list of both.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Probes(pub(super) Vec<Probe>);

/// A question to the running container.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Probe {
    /// The port of an HTTP request.
    pub(super) port: Option<u16>,
    /// The path of an HTTP request.
    pub(super) path: Option<String>,
    /// A port on which something must listen.
    pub(super) tcp: Option<u16>,
    /// A command that is run in the container, by `sh -c` when it is a text.
    pub(super) command: Option<Words>,
    /// A part of what the command prints.
    pub(super) output: Option<String>,
}

/// `sh -c` text, or words.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Words(pub(super) Vec<String>);

/// An image, or a mapping.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Service {
    pub(super) image: String,
    pub(super) env: BTreeMap<String, String>,
    pub(super) command: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ServiceMapping {
    image: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    command: Vec<String>,
}

// None of the three is derived as an untagged enum, whose errors would name neither the key nor its line.

impl<'de> Deserialize<'de> for Probes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ProbesVisitor;

        impl<'de> Visitor<'de> for ProbesVisitor {
            type Value = Probes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, a mapping with `path`, `tcp` or `command`, or a list of them")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Probes, E> {
                Ok(Probes::default())
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<Probes, E> {
                Ok(Probes(vec![Probe {
                    path: Some(path.to_owned()),
                    ..Probe::default()
                }]))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Probes, A::Error> {
                let probe = Probe::deserialize(value::MapAccessDeserializer::new(map))?;
                Ok(Probes(vec![probe]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Probes, A::Error> {
                let mut all = Vec::new();
                while let Some(Probes(one)) = list.next_element()? {
                    all.extend(one);
                }
                Ok(Probes(all))
            }
        }

        deserializer.deserialize_any(ProbesVisitor)
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordsVisitor;

        impl<'de> Visitor<'de> for WordsVisitor {
            type Value = Words;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a command for the shell, or a list of words")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Words, E> {
                let words = ["sh", "-c", text];
                Ok(Words(words.map(str::to_owned).to_vec()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
                let mut words = Vec::new();
                while let Some(word) = list.next_element()? {
                    words.push(word);
                }
                Ok(Words(words))
            }
        }

        deserializer.deserialize_any(WordsVisitor)
    }
}

impl<'de> Deserialize<'de> for Service {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ServiceVisitor;

        impl<'de> Visitor<'de> for ServiceVisitor {
            type Value = Service;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an image, or a mapping of `image`, `env` and `command`")
            }

            fn visit_str<E: de::Error>(self, image: &str) -> Result<Service, E> {
                Ok(Service {
                    image: image.to_owned(),
                    ..Service::default()
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Service, A::Error> {
                let found = ServiceMapping::deserialize(value::MapAccessDeserializer::new(map))?;
                Ok(Service {
                    image: found.image,
                    env: found.env,
                    command: found.command,
                })
            }
        }

        deserializer.deserialize_any(ServiceVisitor)
    }
}
