//! A small tree of an XML document, for project files of Maven, NuGet and MSBuild.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Depth at which nested elements are dropped.
const DEPTH: usize = 64;

/// An element without its namespace prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    /// The texts directly inside, trimmed.
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// The first child of this name.
    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The element at the end of a path of first children.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Element> {
        path.iter()
            .try_fold(self, |element, name| element.child(name))
    }

    /// The text at the end of a path, none when it is empty.
    pub(super) fn text_at(&self, path: &[&str]) -> Option<&str> {
        let text = self.at(path)?.text.as_str();
        (!text.is_empty()).then_some(text)
    }

    /// All children of this name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> + 'a {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The value of an attribute, its name in any case.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// This element and all below it, parents first.
    pub(super) fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Element)) {
        visit(self);
        for child in &self.children {
            child.walk(visit);
        }
    }
}

/// The root element of `source`, and what is malformed, if something is: then the tree holds what stood before it.
pub(super) fn parse(source: &str) -> (Option<Element>, Option<String>) {
    let mut reader = Reader::from_str(source);
    reader.config_mut().allow_dangling_amp = true;
    let mut open: Vec<Element> = vec![Element::default()];
    let mut dropped = 0usize;
    let mut error = None;
    loop {
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(found) => {
                error = Some(found.to_string());
                break;
            }
        };
        match event {
            Event::Start(_) if dropped > 0 || open.len() > DEPTH => dropped += 1,
            Event::Start(start) => open.push(element(&start)),
            Event::Empty(start) if dropped == 0 => {
                if let Some(parent) = open.last_mut() {
                    parent.children.push(element(&start));
                }
            }
            Event::End(_) if dropped > 0 => dropped -= 1,
            Event::End(_) => close(&mut open),
            Event::Text(text) => add_text(&mut open, &text.xml10_content()),
            Event::CData(text) => add_text(&mut open, &text.xml10_content()),
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().ok().flatten();
                let name = reference.xml10_content();
                let text = match (character, &*name) {
                    (Some(character), _) => character.to_string(),
                    (_, "amp") => "&".to_owned(),
                    (_, "lt") => "<".to_owned(),
                    (_, "gt") => ">".to_owned(),
                    (_, "quot") => "\"".to_owned(),
                    (_, "apos") => "'".to_owned(),
                    (_, name) => format!("&{name};"),
                };
                add_text(&mut open, &text);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if open.len() > 1 {
        error = error.or_else(|| Some("an element is not closed".to_owned()));
    }
    while open.len() > 1 {
        close(&mut open);
    }
    let root = open
        .pop()
        .and_then(|document| document.children.into_iter().next());
    (root, error)
}

fn element(start: &BytesStart<'_>) -> Element {
    let attributes = start.attributes().flatten();
    Element {
        name: start.local_name().as_ref().to_owned(),
        attributes: attributes
            .map(|attribute| {
                let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0);
                let value = value.map(|value| value.into_owned()).unwrap_or_default();
                (attribute.key.local_name().as_ref().to_owned(), value)
            })
            .collect(),
        ..Element::default()
    }
}

fn close(open: &mut Vec<Element>) {
    if open.len() < 2 {
        return;
    }
    if let Some(mut done) = open.pop() {
        let trimmed = done.text.trim();
        if trimmed.len() != done.text.len() {
            done.text = trimmed.to_owned();
        }
        if let Some(parent) = open.last_mut() {
            parent.children.push(done);
        }
    }
}

fn add_text(open: &mut [Element], text: &str) {
    if open.len() > 1
        && let Some(element) = open.last_mut()
    {
        element.text.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_nested_texts_entities_and_attributes() {
        let (root, error) = parse(
            "<?xml version=\"1.0\"?><!-- c --><a:p><b c='1 &amp; 2'> x &amp; y </b><d/></a:p>",
        );
        let root = root.expect("the document has a root");
        assert_eq!(error, None);
        assert_eq!(root.name, "p");
        assert_eq!(root.text_at(&["b"]), Some("x & y"));
        assert_eq!(
            root.child("b").and_then(|b| b.attribute("C")),
            Some("1 & 2")
        );
    }

    #[test]
    fn keeps_what_stood_before_an_error() {
        let (root, error) = parse("<p><a>1</a><b>");
        assert_eq!(
            root.and_then(|root| root.text_at(&["a"]).map(str::to_owned))
                .as_deref(),
            Some("1")
        );
        assert!(error.is_some());
    }

    proptest! {
        #[test]
        fn never_panics(source in "[<>/a-c&;!\\[\\]\" =-]{0,120}") {
            let _ = parse(&source);
        }
    }
}
