//! Labels of sites on their way into a study's sums, through real services.

use serde_json::Value;

use crate::serving::{BACKBONE, Serving};
use crate::{blindscope, json, write};

/// The study's classes are in no alphabetical order, one site lacks the first, and a value lies beyond the bound: each mean is that of
/// its own class, over all sites, and what was clipped is counted and said.
#[test]
fn means_of_classes_are_those_of_the_pooled_rows_by_name() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let _coordinator = Serving::study(folder);
    for (site, rows) in [("a", "p,aca,1,2\nq,aca,3,-4\n"), ("b", "r,aca,5,5\ns,scc,-7,8\nt,scc,-9,100\n")] {
        write(folder, "rows.csv", format!("id,label,f0,f1\n{rows}"));
        json(
            folder,
            &format!("features import rows.csv s/{site}/rows.safetensors --backbone {BACKBONE} --json"),
        );
    }
    let _sites = ["a", "b"].map(|site| {
        Serving::begin(folder, &format!("site run --kit s/{site} -c learning.train=rows.safetensors"))
    });
    write(folder, "means.toml", "name = \"means\"\nkind = \"cls-mean\"\n[settings]\nclipped = 0.5\n");
    let output = blindscope(folder, "job submit means.toml --kit s/office --wait");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("1 of 10 values"), "what was clipped is said: {said}");
    json(folder, "job download means --out means.json --kit s/office --json");
    let model: Value = serde_json::from_slice(&std::fs::read(folder.join("means.json")).unwrap()).unwrap();
    assert_eq!(model["classes"], serde_json::json!(["scc", "aca"]));
    assert_eq!((&model["clipped"]["clipped"], &model["clipped"]["values"]), (&1.into(), &10.into()));
    let means = weights(&model).unwrap();
    // 100 is 16, the bound.
    for (class, mean) in [[-8.0, 12.0], [3.0, 1.0]].iter().enumerate() {
        for (at, expected) in mean.iter().enumerate() {
            let found = means[class][at].as_f64().unwrap();
            assert!(
                (found - expected).abs() < 0.01,
                "class {class}, feature {at}: {found}, expected {expected}"
            );
        }
    }
}

/// The weights of a model's head, wherever they stand in its file.
fn weights(value: &Value) -> Option<&Vec<Value>> {
    match value {
        Value::Object(all) => match all.get("weights") {
            Some(Value::Array(rows)) => Some(rows),
            _ => all.values().find_map(weights),
        },
        Value::Array(all) => all.iter().find_map(weights),
        _ => None,
    }
}
