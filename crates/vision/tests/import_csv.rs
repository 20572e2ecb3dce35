//! Which columns of a CSV file are features, and which are not.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic, reason = "a test")]

mod common;

use blindscope_vision::features::{ImportOptions, Imported, import};

struct Case {
    folder: std::path::PathBuf,
}

impl Case {
    fn read(&self, text: &str) -> Result<Imported, String> {
        let path = self.folder.join("rows.csv");
        std::fs::write(&path, text).unwrap();
        import(&path, &ImportOptions::default()).map_err(|e| e.to_string())
    }
}

#[test]
fn columns_are_what_their_names_say() {
    let case = Case { folder: common::folder("columns") };
    for (header, row, label, dropped) in [
        ("id,label,f0,f1,f2", "t,a,1,2,3", Some("a"), ""),
        ("ID,Label,0,1,2", "t,a,1,2,3", Some("a"), ""),
        (",0,1,2", "7,1,2,3", None, "a column without a name"),
        ("index,Target,feat_0,feat_1,feat_2", "7,a,1,2,3", Some("a"), "`index`"),
        ("image_id,x,y,class,f0,f1,f2", "t,100,200,a,1,2,3", Some("a"), ""),
        ("Unnamed: 0,filename,diagnosis,f_1,f_2,f_3,age", "0,t,a,1,2,3,61", Some("a"), "`Unnamed: 0`, `age`"),
        ("\u{feff}id,label,area,perimeter,solidity", "t,a,1,2,3", Some("a"), ""),
    ] {
        let Imported { features, notes } = case.read(&format!("{header}\n{row}\n{row}\n")).unwrap();
        assert_eq!((features.width, &*features.row(0).unwrap()), (3, &[1.0, 2.0, 3.0][..]), "{header}");
        assert_eq!(features.classes.first().map(String::as_str), label, "{header}");
        assert!(notes[0].contains("3 columns are features"), "{notes:?}");
        let said = notes[0].split("not taken: ").nth(1).unwrap_or("");
        assert_eq!(said, dropped, "{header}");
        assert_eq!(features.coords.is_empty(), !header.contains(",x,"), "{header}");
    }
    let twice = case.read("id,label,f0,f1\nt,a,1,2\nt,a,3,4\n").unwrap().notes;
    assert!(twice[1].contains("1 rows carry an id that an earlier row has, the first is `t`"), "{twice:?}");
    std::fs::remove_dir_all(case.folder).unwrap();
}

#[test]
fn a_table_that_would_be_misread_is_refused() {
    let case = Case { folder: common::folder("misread") };
    for (text, expected) in [
        ("0.125,-0.5,1\n0.5,1,2\n", "its first line holds numbers (0.125, …), so it has no header"),
        ("3,1,2\n4,5,6\n", "its first line holds numbers (3, …)"),
        ("id,label,class,f0,f1\nt,a,b,1,2\n", "`label` and `class` both name the label; rename one"),
        ("id,f0,f0\nt,1,2\n", "two columns are called `f0`"),
        ("id,label\nt,a\n", "none of its columns is a feature: id, label"),
        ("id,f0,f1\nt,1,x\n", "line 2, column `f1`: `x` is no number"),
        ("id,f0,f1\n", "it has a header and no row"),
        ("id,f0,f1\na,2,2\nb,2,2\n", "every one of its 4 values is 2: it was never written"),
    ] {
        let message = case.read(text).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }
    std::fs::remove_dir_all(case.folder).unwrap();
}

/// A list in another order than the rows puts no label on another row.
#[test]
fn labels_are_joined_by_id() {
    let folder = common::folder("by-id");
    let (rows, list) = (folder.join("rows.csv"), folder.join("list.csv"));
    std::fs::write(&rows, "id,f0,f1\na.png,1,2\nb.png,3,4\nc.png,5,6\n").unwrap();
    std::fs::write(&list, "path,label\nc.png,z\nd.png,x\na.png,x\nb.png,y\n").unwrap();
    let options = ImportOptions { labels: Some(list.clone()), ..ImportOptions::default() };
    let Imported { features, notes } = import(&rows, &options).unwrap();
    let names: Vec<&str> = features.labels.iter().map(|l| features.classes[l.unwrap()].as_str()).collect();
    assert_eq!((names, features.ids[0].as_str()), (vec!["x", "y", "z"], "a.png"));
    assert!(notes.iter().any(|n| n == "1 listed rows have no features"), "{notes:?}");
    std::fs::write(&list, "path,label\nc.png,z\na.png,x\n").unwrap();
    let refused = import(&rows, &options).unwrap_err().to_string();
    assert!(refused.contains("1 of 3 rows are not in the list, the first is `b.png`"), "{refused}");
    std::fs::remove_dir_all(folder).unwrap();
}
