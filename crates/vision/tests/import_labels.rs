//! Labels beside features of another tool's, for formats that have none of their own.
#![allow(clippy::unwrap_used, reason = "a test")]

use blindscope_vision::features::{ImportOptions, import};

#[test]
fn a_list_of_labels_serves_a_csv_too_and_is_never_ignored() {
    let folder = std::env::temp_dir().join(format!("blindscope-labels-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (rows, list) = (folder.join("rows.csv"), folder.join("list.csv"));
    std::fs::write(&rows, "a,b\n1,2\n3,4\n5,6\n").unwrap();
    std::fs::write(&list, "path,label,group\nx.png,scc,1\nw.png,aca,2\ny.png,scc,1\n").unwrap();

    let plain = import(&rows, &ImportOptions::default()).unwrap().features;
    assert!(plain.labels.iter().all(Option::is_none));
    let options = ImportOptions { labels: Some(list), ..ImportOptions::default() };
    let features = import(&rows, &options).unwrap().features;
    assert_eq!(features.classes, ["aca", "scc"]);
    assert_eq!(features.labels, [Some(1), Some(0), Some(1)]);
    assert_eq!((features.width, features.row(2).unwrap()[0].to_bits()), (2, 5.0f32.to_bits()));

    let ours = folder.join("ours.safetensors");
    features.save(&ours).unwrap();
    let refused = import(&ours, &options).unwrap_err().to_string();
    assert!(refused.contains("labels of its own"), "{refused}");
    let missing = import(&folder.join("nowhere"), &ImportOptions::default()).unwrap_err().to_string();
    assert!(missing.contains("nowhere") && missing.contains("No such file"), "{missing}");
    std::fs::remove_dir_all(folder).unwrap();
}
