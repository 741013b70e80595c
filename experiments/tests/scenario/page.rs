//! `docs/scenarios.md` is that of the code, knows every key, and what it shows works.

use std::path::Path;

use seatrial_experiments::scenario_command::{GALLERY, page, parse};
use seatrial_experiments::schemas::SCHEMAS;
use serde_json::Value;

fn committed() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/scenarios.md")).unwrap()
}

#[test]
fn the_committed_page_is_that_of_the_code() {
    assert!(page(&committed()) == committed(), "docs/scenarios.md is stale: run `cargo xtask generate`");
}

/// All keys of objects in the schema, however deep.
fn keys(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            found.extend(
                map.get("properties").and_then(Value::as_object).into_iter().flat_map(|keys| keys.keys().cloned()),
            );
            map.values().for_each(|inner| keys(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| keys(inner, found)),
        _ => {}
    }
}

#[test]
fn the_page_knows_every_key() {
    let schema: Value =
        serde_json::from_str(&(SCHEMAS.iter().find(|schema| schema.name == "scenario").unwrap().text)()).unwrap();
    let mut known = Vec::new();
    keys(&schema, &mut known);
    assert!(known.len() > 100 && known.contains(&"slows_neighbours".to_owned()), "{known:?}");
    let page = committed();
    for key in known {
        let ways = [format!("| `{key}` |"), format!("`{{ {key} = … }}`"), format!("`{key} = ")];
        assert!(ways.iter().any(|way| page.contains(way)), "docs/scenarios.md does not know `{key}`");
    }
    for (name, _) in GALLERY {
        assert!(page.contains(&format!("`{name}`")), "docs/scenarios.md does not name the gallery's `{name}`");
    }
}

/// Every TOML block that is a whole scenario can be read; every message that the page shows is one that is met.
#[test]
fn what_the_page_shows_works() {
    let page = committed();
    let blocks: Vec<&str> = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let whole: Vec<&str> = blocks.iter().filter(|block| block.contains("kernel = ")).copied().collect();
    assert!(!whole.is_empty());
    for block in &whole {
        parse(block, "page").unwrap_or_else(|error| panic!("{error}"));
    }
    // A piece goes into one of the whole ones.
    for piece in blocks.iter().filter(|block| !whole.contains(block)) {
        let fits = whole.iter().any(|block| parse(&format!("{block}\n{piece}"), "page").is_ok());
        assert!(fits, "no scenario of the page takes:\n{piece}");
    }
    let first = whole[0];
    let messages = page.split("```text\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let messages: Vec<&str> = messages.flat_map(str::lines).filter(|line| line.starts_with("mine.toml:")).collect();
    let edits = [
        ("replicas = 2", "replica = 2"),
        ("replicas = 2", "replicas = 0"),
        ("service = \"web\"", "service = \"wbe\""),
        ("kernel = \"events\"", "kernel = \"event\""),
        ("duration_s = 1800", ""),
        ("concurrency = 4", "concurrency = 0"),
    ];
    let met: Vec<String> = edits
        .iter()
        .map(|(from, to)| parse(&first.replacen(from, to, 1), "mine.toml").expect_err(to).to_string())
        .flat_map(|error| error.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert!(messages.len() >= 4);
    for message in messages {
        assert!(met.iter().any(|line| line == message), "nobody meets: {message}\nthey meet:\n{}", met.join("\n"));
    }
}
