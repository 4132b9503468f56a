//! Objects of JSON that are changed in one place and stay what they are everywhere else.

use std::{fmt, path::Path};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{Error, Result, io::safetensors::index};

/// So much of a value is shown in an error.
const SHOWN: usize = 40;

/// The members of an object, in their order, each value as the text that it is in the file: numbers are not rounded, and what
/// stands deeper is not laid out anew.
#[derive(Clone, Debug, Default)]
pub(super) struct Members(Vec<(String, Box<RawValue>)>);

impl Members {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Io`](Error::Io), [`InvalidFile`](Error::InvalidFile) also for a name that stands twice.
    pub(super) fn read(path: &Path, format: &'static str) -> Result<Self> {
        let json = index::read_json(path, format)?;
        serde_json::from_slice(&json).map_err(|error| Error::InvalidFile {
            path: path.to_owned(),
            format,
            reason: error.to_string(),
        })
    }

    /// Of a value that is an object.
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text of a value.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.get())
    }

    /// A value of some type; nothing where there is none, or `null`. The error is what is wrong with it.
    pub(super) fn value<T: DeserializeOwned>(
        &self,
        name: &str,
        expected: &str,
    ) -> std::result::Result<Option<T>, String> {
        let Some(text) = self.get(name) else { return Ok(None) };
        serde_json::from_str(text).map_err(|_| format!("{name} is {}, expected {expected}", shortened(text)))
    }

    /// Replaces a value where it stands, or adds it as the last one.
    pub(super) fn set(&mut self, name: &str, text: String) -> serde_json::Result<()> {
        let value = RawValue::from_string(text)?;
        match self.0.iter_mut().find(|(other, _)| other == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(other, _)| other != name);
    }

    /// The object as Python's `json.dumps(…, indent=2)` lays it out, `depth` levels deep in another.
    pub(super) fn to_text(&self, depth: usize) -> String {
        let members = self.0.iter().map(|(name, value)| (name.as_str(), value.get().to_owned()));
        object(members, depth)
    }
}

/// An object of these members, laid out in the same way.
pub(super) fn object<'a>(members: impl Iterator<Item = (&'a str, String)>, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    let members: Vec<String> =
        members.map(|(name, value)| format!("\n{indent}  {}: {value}", serde_json::Value::from(name))).collect();
    if members.is_empty() { "{}".to_owned() } else { format!("{{{}\n{indent}}}", members.join(",")) }
}

fn shortened(text: &str) -> String {
    let mut start: String = text.chars().take(SHOWN).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Members, A::Error> {
        let mut members = Vec::new();
        let mut names = std::collections::HashSet::new();
        while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format_args!("{name:?} stands twice")));
            }
            members.push((name, value));
        }
        Ok(Members(members))
    }
}
