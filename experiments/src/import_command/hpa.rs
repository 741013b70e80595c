//! `seatrial import hpa`: HorizontalPodAutoscalers as ScalingPolicies in mode Shadow, with the same rule as fallback.
//!
//! A policy so made changes nothing in the cluster: it watches, and its log shows what the operator would have done. What
//! the fallback cannot say is refused, or said on stderr and in a comment of the file; nothing is dropped silently. All
//! autoscalers of a manifest are imported, or none.

mod convert;
mod manifest;
mod policy;

use std::collections::BTreeMap;

use self::convert::{Converted, convert};
use self::manifest::Found;
use self::policy::ScalingPolicy;
use super::HpaArgs;
use super::destination::write_new;
use super::prometheus::base_address;
use crate::error::{ExperimentError, Result};

/// A manifest larger than this is no manifest.
const MOST_BYTES: usize = 16 * 1024 * 1024;

pub(super) fn import(arguments: &HpaArgs) -> Result<()> {
    let url = base_address("--prometheus", &arguments.prometheus)?;
    let file = arguments.file.display().to_string();
    let refused = |detail: String| ExperimentError::Import(format!("{file}: {detail}"));
    let text = read(arguments)?;
    let Found { autoscalers, skipped } = manifest::find(&text).map_err(refused)?;
    for other in skipped {
        tell!("note: {file}: skipped {other}");
    }
    let converted = convert_all(autoscalers.iter().map(|found| convert(found, &url))).map_err(refused)?;
    let name = arguments.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    for policy in &converted {
        for note in &policy.notes {
            tell!("note: {file}: {}: {note}", policy.label());
        }
    }
    write(arguments, &name, &converted)
}

fn read(arguments: &HpaArgs) -> Result<String> {
    let refused = |detail: &str| ExperimentError::Import(format!("{}: {detail}", arguments.file.display()));
    let bytes = std::fs::read(&arguments.file).map_err(ExperimentError::io("read", &arguments.file))?;
    if bytes.len() > MOST_BYTES {
        return Err(refused("larger than 16 MiB. Cut it into several manifests"));
    }
    String::from_utf8(bytes).map_err(|_| refused("not UTF-8, so no manifest. Give YAML or JSON"))
}

/// All of them, or one line for each thing that stands in the way.
fn convert_all(
    outcomes: impl Iterator<Item = std::result::Result<Converted, Vec<String>>>,
) -> std::result::Result<Vec<Converted>, String> {
    let (mut converted, mut refusals) = (BTreeMap::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Err(reasons) => refusals.extend(reasons),
            Ok(policy) => {
                let label = policy.label();
                if converted.insert(label.clone(), policy).is_some() {
                    refusals.push(format!("{label}: stands twice in the manifest. Keep one"));
                }
            }
        }
    }
    if refusals.is_empty() {
        return Ok(converted.into_values().collect());
    }
    Err(format!("nothing was imported:\n  {}", refusals.join("\n  ")))
}

fn write(arguments: &HpaArgs, source: &str, converted: &[Converted]) -> Result<()> {
    let documents = converted.iter().map(|policy| Ok((policy, document(source, policy)?)));
    let documents: Vec<_> = documents.collect::<Result<_>>()?;
    let Some(folder) = &arguments.out else {
        let texts: Vec<&str> = documents.iter().map(|(_, text)| text.trim_end()).collect();
        say!("{}", texts.join("\n---\n"));
        return Ok(());
    };
    for (policy, text) in documents {
        let path = folder.join(format!("{}.yaml", policy.label().replace('/', ".")));
        let outcome = write_new(&path, text.as_bytes(), arguments.force)?;
        say!("{outcome} {}", path.display());
    }
    Ok(())
}

/// The YAML of a policy with its notes as comments.
fn document(source: &str, converted: &Converted) -> Result<String> {
    let yaml = serde_saphyr::to_string(&converted.policy).map_err(|error| {
        ExperimentError::Import(format!("{}: cannot be put into YAML ({error}); this is a bug", converted.label()))
    })?;
    // A file's name may hold anything but must not end the comment.
    let source: String = source.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let head =
        format!("# Made of HorizontalPodAutoscaler {} in {source} by `seatrial import hpa`.\n", converted.label());
    let notes: String = converted.notes.iter().map(|note| format!("# Note: {note}\n")).collect();
    Ok(head + &notes + &yaml)
}

impl Converted {
    /// `namespace/name`, or the name alone.
    fn label(&self) -> String {
        let ScalingPolicy { metadata, .. } = &self.policy;
        match &metadata.namespace {
            Some(namespace) => format!("{namespace}/{}", metadata.name),
            None => metadata.name.clone(),
        }
    }
}
