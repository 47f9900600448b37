//! What the engine says of an image.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// An image as the engine holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// `sha256:…`
    pub id: String,
    /// Bytes of all layers, uncompressed, on disk.
    pub size: u64,
    /// How many layers it has.
    pub layers: usize,
    /// `linux/amd64`
    pub platform: String,
    /// How it starts.
    pub config: ImageConfig,
}

/// How a container of the image starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ImageConfig {
    /// USER, empty for root.
    #[serde(deserialize_with = "null_is_default")]
    pub user: String,
    /// ENTRYPOINT.
    #[serde(deserialize_with = "null_is_default")]
    pub entrypoint: Vec<String>,
    /// CMD.
    #[serde(deserialize_with = "null_is_default")]
    pub cmd: Vec<String>,
    /// `NAME=value`
    #[serde(deserialize_with = "null_is_default")]
    pub env: Vec<String>,
    /// WORKDIR.
    #[serde(deserialize_with = "null_is_default")]
    pub working_dir: String,
    /// `8080/tcp`
    #[serde(deserialize_with = "null_is_default")]
    pub exposed_ports: BTreeMap<String, Value>,
    /// VOLUME.
    #[serde(deserialize_with = "null_is_default")]
    pub volumes: BTreeMap<String, Value>,
    /// LABEL.
    #[serde(deserialize_with = "null_is_default")]
    pub labels: BTreeMap<String, String>,
    /// STOPSIGNAL.
    #[serde(deserialize_with = "null_is_default")]
    pub stop_signal: String,
    /// HEALTHCHECK, as the engine holds it.
    pub healthcheck: Option<Value>,
    /// SHELL.
    #[serde(deserialize_with = "null_is_default")]
    pub shell: Vec<String>,
}

#[derive(Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[derive(Default)]
struct Inspected {
    id: String,
    size: u64,
    os: String,
    architecture: String,
    #[serde(rename = "RootFS")]
    root_fs: RootFs,
    config: ImageConfig,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct RootFs {
    #[serde(deserialize_with = "null_is_default")]
    layers: Vec<String>,
}

/// Buildah wraps what docker says and knows no size.
#[derive(Deserialize)]
struct InspectedByBuildah {
    #[serde(rename = "FromImageID", default)]
    id: String,
    #[serde(rename = "Docker")]
    docker: DockerPart,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DockerPart {
    os: String,
    architecture: String,
    config: ImageConfig,
    rootfs: DiffIds,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DiffIds {
    #[serde(deserialize_with = "null_is_default")]
    diff_ids: Vec<String>,
}

impl ImageConfig {
    /// The TCP ports that it exposes, in order.
    pub fn tcp_ports(&self) -> impl Iterator<Item = u16> {
        let ports = self.exposed_ports.keys();
        ports.filter_map(|port| port.strip_suffix("/tcp").unwrap_or(port).parse().ok())
    }
}

impl Image {
    /// Reads the answer of `docker image inspect` or `podman image inspect`, a list of one.
    ///
    /// # Errors
    /// When it is something else.
    pub(super) fn from_inspect(json: &str) -> Result<Self, String> {
        let mut list: Vec<Inspected> =
            serde_json::from_str(json).map_err(|error| error.to_string())?;
        let found = list.pop().ok_or("the list is empty")?;
        Ok(Self {
            id: found.id,
            size: found.size,
            layers: found.root_fs.layers.len(),
            platform: format!("{}/{}", found.os, found.architecture),
            config: found.config,
        })
    }

    /// Reads the answer of `buildah inspect --type image`, and `images --json` for the size.
    ///
    /// # Errors
    /// When one of them is something else.
    pub(super) fn from_buildah(json: &str, size: u64) -> Result<Self, String> {
        let found: InspectedByBuildah =
            serde_json::from_str(json).map_err(|error| error.to_string())?;
        Ok(Self {
            id: found.id,
            size,
            layers: found.docker.rootfs.diff_ids.len(),
            platform: format!("{}/{}", found.docker.os, found.docker.architecture),
            config: found.docker.config,
        })
    }
}

/// Engines write `null` for what is empty.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_and_podman_say() {
        let json = r#"[{"Id": "sha256:ab", "Size": 1200, "Os": "linux", "Architecture": "arm64", "Unknown": [1],
            "RootFS": {"Type": "layers", "Layers": ["sha256:1", "sha256:2"]},
            "Config": {"User": "app", "Cmd": ["run"], "Entrypoint": null, "Env": ["A=b"], "WorkingDir": "/srv",
                       "ExposedPorts": {"80/tcp": {}}, "Volumes": null, "Labels": {"a": "b"}}}]"#;
        let image = Image::from_inspect(json).expect("it is an inspection");
        assert_eq!((image.size, image.layers), (1200, 2));
        assert_eq!(image.platform, "linux/arm64");
        assert_eq!(image.config.user, "app");
        assert!(image.config.entrypoint.is_empty());
        assert!(image.config.exposed_ports.contains_key("80/tcp"));
        assert!(Image::from_inspect("[]").is_err());
        assert!(Image::from_inspect("Error: no such image").is_err());
    }

    #[test]
    fn what_buildah_says() {
        let json = r#"{"Type": "image", "FromImageID": "ab", "Docker": {"os": "linux", "architecture": "amd64",
            "config": {"User": "65532", "Cmd": ["/app"]}, "rootfs": {"type": "layers", "diff_ids": ["sha256:1"]}}}"#;
        let image = Image::from_buildah(json, 99).expect("it is an inspection");
        assert_eq!((image.size, image.layers), (99, 1));
        assert_eq!(image.config.cmd, ["/app"]);
    }
}
