//! Writes the generated files of `src/catalog` from the tables of facts: `images.yaml`, `sizes.yaml`, `eol.yaml`.
//!
//! Run from the repository: `cargo run --example catalog_from_facts [FOLDER]`; the folder is `../shared/facts`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The day on which `official_images.tsv` and `eol.tsv` were taken, as the facts' README says.
const AS_OF: &str = "2026-08-22";

fn main() -> Result<()> {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from("../shared/facts"), PathBuf::from);
    let out = Path::new("src/catalog");
    fs::write(out.join("images.yaml"), images(&folder)?)?;
    fs::write(out.join("sizes.yaml"), sizes(&folder)?)?;
    fs::write(out.join("eol.yaml"), cycles(&folder)?)?;
    Ok(())
}

/// The rows of a table, each a map from column to value.
fn rows(path: &Path) -> Result<Vec<BTreeMap<String, String>>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let header: Vec<&str> = lines
        .next()
        .context("an empty table")?
        .split('\t')
        .collect();
    Ok(lines
        .map(|line| {
            let values = line.split('\t').map(str::to_owned);
            header
                .iter()
                .map(|name| (*name).to_owned())
                .zip(values)
                .collect()
        })
        .collect())
}

fn images(folder: &Path) -> Result<String> {
    let configs = rows(&folder.join("image_configs.tsv"))?;
    let configs: BTreeMap<(&str, &str), _> = configs
        .iter()
        .flat_map(|row| list(&row["all_tags"]).map(move |tag| ((row["image"].as_str(), tag), row)))
        .collect();
    let mut entries = BTreeMap::new();
    for row in rows(&folder.join("official_images.tsv"))? {
        // Tags that several builds share (Windows beside Linux) mean the Linux one here.
        let windows = row["arches"].contains("windows-amd64");
        let family = row["image"].as_str();
        let mut tags: Vec<&str> = list(&row["tags"]).collect();
        if !windows {
            tags.extend(list(&row["shared_tags"]));
        }
        tags.sort_unstable();
        tags.dedup();
        let Some(first) = list(&row["tags"]).next() else {
            continue;
        };
        let mut entry = String::new();
        writeln!(entry, "    - key: {family}:{first}")?;
        writeln!(entry, "      tags: [{}]", quoted(tags.into_iter()))?;
        if windows {
            writeln!(entry, "      base: [windows]")?;
        } else if let Some(config) = configs.get(&(family, first)) {
            let base = config["base_chain"]
                .split(" < ")
                .filter(|base| !base.is_empty());
            writeln!(entry, "      base: [{}]", quoted(base))?;
            for (field, column) in [
                ("user", "user"),
                ("entrypoint", "entrypoint"),
                ("cmd", "cmd"),
                ("workdir", "workdir"),
                ("path", "path"),
                ("stop-signal", "stopsignal"),
                ("source", "source"),
            ] {
                if !config[column].is_empty() {
                    writeln!(entry, "      {field}: {}", single_quoted(&config[column]))?;
                }
            }
            for (field, column) in [
                ("env", "env_keys"),
                ("expose", "expose"),
                ("volumes", "volumes"),
            ] {
                if !config[column].is_empty() {
                    writeln!(entry, "      {field}: [{}]", quoted(list(&config[column])))?;
                }
            }
        }
        entries.insert(format!("{family}:{first}"), entry);
    }
    let source = "docker-library/official-images and the Dockerfiles it names";
    Ok(section(source, entries.values()))
}

fn sizes(folder: &Path) -> Result<String> {
    let mut entries = BTreeMap::new();
    for row in rows(&folder.join("sizes.tsv"))? {
        let compressed = row["compressed_bytes"].parse().unwrap_or(0_u64);
        let on_disk = row["on_disk_mb"].parse().map_or(0.0, |mb: f64| mb * 1000.0);
        if compressed == 0 && on_disk == 0.0 {
            continue;
        }
        let mut entry = format!("    - {{image: {}", single_quoted(&row["image"]));
        if compressed > 0 {
            write!(entry, ", compressed: {compressed}")?;
        }
        if on_disk > 0.0 {
            write!(entry, ", on-disk-kb: {on_disk:.0}")?;
        }
        writeln!(
            entry,
            ", as-of: {}, source: {}}}",
            single_quoted(&row["as_of"]),
            single_quoted(&row["source"])
        )?;
        entries.insert(row["image"].clone(), entry);
    }
    Ok(section("docker-library/repo-info", entries.values()))
}

fn cycles(folder: &Path) -> Result<String> {
    let mut entries = BTreeMap::new();
    for row in rows(&folder.join("eol.tsv"))? {
        let key = format!("{}/{}", row["product"], row["cycle"]);
        let mut entry = format!("    - {{key: {}", single_quoted(&key));
        for (field, column) in [
            ("codename", "codename"),
            ("eol", "eol"),
            ("extended", "extended"),
            ("latest", "latest"),
        ] {
            if let Some(value) = row.get(column).filter(|value| !value.is_empty()) {
                write!(entry, ", {field}: {}", single_quoted(value))?;
            }
        }
        entry.push_str("}\n");
        entries.insert(key, entry);
    }
    Ok(section("endoflife.date", entries.values()))
}

fn section<'a>(source: &str, entries: impl Iterator<Item = &'a String>) -> String {
    let mut out = format!(
        "# Written by examples/catalog_from_facts.rs.\n- source: {source}\n  as-of: {AS_OF}\n  entries:\n"
    );
    out.extend(entries.map(String::as_str));
    out
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

fn quoted<'a>(items: impl Iterator<Item = &'a str>) -> String {
    items.map(single_quoted).collect::<Vec<_>>().join(", ")
}

/// A YAML scalar, in quotes where it could read as a number, a list or a map.
fn single_quoted(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-:/".contains(&b))
        && !text.ends_with(':')
        && !["true", "false", "null", "yes", "no", "on", "off"].contains(&text);
    if plain {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}
