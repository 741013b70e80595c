//! The committed schemas of what others read: `policy.json`, `manifest.json`, the decision log and scenarios. (That of `summary.json`
//! is kept by hand in `reports`.)
//!
//! They are made from the types that are written, doc comments included, by `cargo xtask generate`, and a test compares them
//! with what is committed. A schema says what Seatrial writes: every key that is always there is required, and no other is
//! allowed. That of `scenario` says what Seatrial reads: a key with a default may be absent.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use seatrial_core::bundle::PolicyCard;
use seatrial_datasets::decisions;
use seatrial_envs::spec::ScenarioSpec;

use crate::manifest::Manifest;
use crate::scenario_command::ScenarioSummary;

/// A committed schema.
#[derive(Clone, Copy, Debug)]
pub struct SchemaFile {
    /// What it describes: the argument of the example that prints it.
    pub name: &'static str,
    /// Where it is committed, relative to the repository.
    pub path: &'static str,
    /// Its text. (What is data always serialises; an empty text would fail the comparison.)
    pub text: fn() -> String,
}

/// All of them.
pub const SCHEMAS: &[SchemaFile] = &[
    SchemaFile { name: "decisions", path: "datasets/schemas/decisions.schema.json", text: of_decisions },
    SchemaFile { name: "manifest", path: "experiments/schemas/manifest.schema.json", text: of_json::<Manifest> },
    SchemaFile { name: "policy", path: "core/schemas/policy.schema.json", text: of_json::<PolicyCard> },
    SchemaFile { name: "scenario", path: "experiments/schemas/scenario.schema.json", text: of_input::<ScenarioSpec> },
    SchemaFile {
        name: "scenario-summary",
        path: "experiments/schemas/scenario-summary.schema.json",
        text: of_json::<ScenarioSummary>,
    },
];

fn of_decisions() -> String {
    decisions::schema_json().unwrap_or_default()
}

fn of_json<T: JsonSchema>() -> String {
    text_of::<T>(SchemaSettings::draft2020_12().for_serialize())
}

fn of_input<T: JsonSchema>() -> String {
    text_of::<T>(SchemaSettings::draft2020_12().for_deserialize())
}

fn text_of<T: JsonSchema>(settings: SchemaSettings) -> String {
    let mut value = settings.into_generator().into_root_schema_for::<T>().to_value();
    // The order of keys depends on a feature of serde_json that any crate of a build can switch on.
    value.sort_all_objects();
    serde_json::to_string_pretty(&value).unwrap_or_default() + "\n"
}
