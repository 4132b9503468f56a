//! How sentence-transformers makes one vector of all hidden states.

use std::path::Path;

use serde_json::Value;

use crate::{config::json, support::Result};

const MODE: &str = "pooling_mode_";
const MEAN: &str = "pooling_mode_mean_tokens";
/// What may stand in `modules.json`: the cosine does not see the normalisation.
const MODULES: [&str; 3] = ["Transformer", "Pooling", "Normalize"];

/// Refuses models that do more than to average hidden states. Where the folder does not say, it is the mean.
pub(crate) fn check(folder: &Path) -> Result<()> {
    let modules = folder.join("modules.json");
    if modules.exists() {
        let said = json(&modules)?;
        let types = said.as_array().into_iter().flatten().filter_map(|module| module.get("type")?.as_str());
        for name in types.filter_map(|name| name.rsplit('.').next()) {
            if !MODULES.contains(&name) {
                let expected = "expected no other than Transformer, Pooling and Normalize";
                return Err(format!("{} has a module {name:?}, {expected}", modules.display()).into());
            }
        }
    }
    let pooling = folder.join("1_Pooling").join("config.json");
    if pooling.exists() {
        let said = json(&pooling)?;
        let modes = said.as_object().into_iter().flatten();
        let on: Vec<&str> = modes
            .filter(|(name, value)| name.starts_with(MODE) && **value == Value::Bool(true))
            .map(|(name, _)| name.as_str())
            .collect();
        if on != [MEAN] {
            let found = if on.is_empty() { "no mode that is on".to_owned() } else { on.join(" and ") };
            return Err(format!("{} has {found}, expected {MEAN} alone", pooling.display()).into());
        }
    }
    Ok(())
}
