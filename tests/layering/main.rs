//! The house rules, read from the sources: a layer imports only those to its left, `unsafe` has two places, files are short.

mod source;

use std::{collections::BTreeMap, fs, path::Path};

use source::{code_of, crate_names, re_exports, words};

/// Each layer may import those of the lines above it, and none of its own line.
const LAYERS: [&[&str]; 13] = [
    &["error"],
    &["memory"],
    &["row_blocks", "row_weights", "rows", "vocabulary", "reconstruction"],
    &["embedding"],
    &["factors"],
    &["linalg"],
    &["kernel"],
    &["layers", "decompose"],
    &["quantize"],
    &["train"],
    &["io"],
    &["candle"],
    &["evaluate"],
];

/// What may be named to the left of where it is defined: errors hold ids and poolings, and a vocabulary gives ids, as plain
/// data. They call nothing of theirs.
const PLAIN_DATA: [(&str, &str); 4] =
    [("error", "TokenId"), ("error", "Pooling"), ("row_weights", "TokenId"), ("vocabulary", "TokenId")];

/// Where `unsafe` may stand.
const UNSAFE: [&str; 2] = ["kernel", "memory"];

const MAX_LINES: usize = 500;
/// Of a file of kernels.
const MAX_KERNEL_LINES: usize = 400;

/// The sources by their path below `src`, without extension and folder by folder: `["embedding", "check"]`.
type Sources = BTreeMap<Vec<String>, String>;

fn sources() -> Sources {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Sources::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder of the sources") {
            let path = entry.expect("an entry of the folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(&root).expect("a path below src").with_extension("");
                let module = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
                sources.insert(module, fs::read_to_string(&path).expect("a source in UTF-8"));
            }
        }
    }
    assert!(sources.len() > 20, "the sources are found");
    sources
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Every import of a layer that is not to the left, every unknown module, and every exception that nobody uses.
fn layering_violations(sources: &Sources, exceptions: &[(&str, &str)]) -> Vec<String> {
    let root = code_of(sources.get(["lib".to_owned()].as_slice()).map_or("", String::as_str));
    let re_exports = re_exports(&root);
    let mut violations = Vec::new();
    let mut unused = exceptions.to_vec();
    for (path, text) in sources.iter().filter(|(path, _)| path[0] != "lib") {
        let (module, file) = (path[0].as_str(), path.join("/"));
        let Some(layer) = layer_of(module) else {
            violations.push(format!("{file}: the module {module} is in no layer"));
            continue;
        };
        let code = code_of(text);
        for name in crate_names(&code, path.len()) {
            let target = re_exports.get(&name).unwrap_or(&name).as_str();
            if exceptions.contains(&(module, name.as_str())) {
                unused.retain(|exception| *exception != (module, name.as_str()));
                continue;
            }
            match layer_of(target) {
                None => violations.push(format!("{file}: {name} is in no known module")),
                Some(other) if target == module || other < layer => {}
                Some(_) => violations.push(format!("{file}: {module} imports {name} of {target}")),
            }
        }
    }
    violations.extend(unused.iter().map(|(module, name)| format!("{module} has no use for {name} as plain data")));
    violations
}

#[test]
fn every_layer_imports_only_those_to_its_left() {
    let violations = layering_violations(&sources(), &PLAIN_DATA);
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn unsafe_stands_in_the_kernels_and_the_memory_maps_only() {
    for (path, text) in sources() {
        if !UNSAFE.contains(&path[0].as_str()) {
            let count = words(&code_of(&text)).filter(|word| *word == "unsafe").count();
            assert_eq!(count, 0, "unsafe in {}", path.join("/"));
        }
    }
}

#[test]
fn files_are_short() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        let max = if path[0] == "kernel" { MAX_KERNEL_LINES } else { MAX_LINES };
        assert!(lines <= max, "{} has {lines} lines", path.join("/"));
    }
}

fn made_up(files: &[(&str, &str)]) -> Sources {
    let module = |path: &str| path.split('/').map(str::to_owned).collect();
    files.iter().map(|(path, text)| (module(path), (*text).to_owned())).collect()
}

#[test]
fn the_check_sees_what_is_wrong() {
    let root = ("lib", "mod error;\npub use embedding::{Bags, Embedding};\npub use factors::Factors;");
    let check = |path: &str, text: &str| layering_violations(&made_up(&[root, (path, text)]), &[]);
    let fine: [(&str, &str); 7] = [
        ("layers/dense", "use crate::{Embedding, kernel::{self, pool}, factors::Shape};"),
        ("layers/dense", "use super::norms; // crate::io is only mentioned\n/* crate::io /* and */ again */"),
        (
            "layers/dense",
            "const TEXT: &str = \"crate::io\"; const RAW: &str = r#\"\"crate::io\"#; const Q: char = '\"';",
        ),
        ("layers", "fn f<'a>(x: &'a str) -> crate::Factors { crate::embedding::check::ids(x) }"),
        ("kernel", "mod tests { use super::pool; }"),
        ("kernel/avx2", "pub(super) fn f() { super::super::kernel::g() }"),
        ("evaluate", "use crate::{io::safetensors, layers, decompose};"),
    ];
    for (path, text) in fine {
        assert_eq!(check(path, text), [""; 0], "{path}: {text}");
    }
    let wrong = [
        ("factors", "use crate::layers;", "factors: factors imports layers of layers"),
        ("factors", "fn f() { crate::kernel::g(); }", "factors: factors imports kernel of kernel"),
        ("error", "use crate::Bags;", "error: error imports Bags of embedding"),
        ("rows", "use crate::{Error, vocabulary::{Vocabulary}};", "rows: rows imports vocabulary of vocabulary"),
        (
            "decompose/als",
            "use crate::{\n    factors::{\n        Shape,\n    },\n    layers::dense,\n};",
            "decompose/als: decompose imports layers of layers",
        ),
        ("linalg", "let q = '\"'; use crate::io::safetensors; let r = '\"';", "linalg: linalg imports io of io"),
        ("linalg/x", "let q = r\"\\\"; use crate::io::safetensors; //\"", "linalg/x: linalg imports io of io"),
        ("embedding/bags", "use super::super::train;", "embedding/bags: embedding imports train of train"),
        ("rows", "use super::layers;", "rows: rows imports layers of layers"),
        ("factors", "use crate::Unknown;", "factors: Unknown is in no known module"),
        ("factors", "use crate::*;", "factors: * is in no known module"),
        ("magic", "", "magic: the module magic is in no layer"),
    ];
    for (path, text, expected) in wrong {
        let error = ("lib", "pub use error::Error;\npub use embedding::{Bags, Embedding};");
        let violations = layering_violations(&made_up(&[error, (path, text)]), &[]);
        assert_eq!(violations, [expected], "{path}: {text}");
    }
    let sources = made_up(&[root, ("error", "use crate::Bags;")]);
    assert_eq!(layering_violations(&sources, &[("error", "Bags")]), [""; 0], "an exception");
    let exceptions = [("error", "Bags"), ("error", "Embedding")];
    assert_eq!(layering_violations(&sources, &exceptions), ["error has no use for Embedding as plain data"]);
    assert_eq!(words(&code_of("unsafe { /* unsafe */ unsafe_code }")).filter(|word| *word == "unsafe").count(), 1);
}
