//! Which columns of a CSV file are features, and which are not.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic, reason = "a test")]

mod common;

use blindscope_vision::features::{ImportOptions, Imported, import};

struct Case {
    folder: std::path::PathBuf,
}

impl Case {
    fn read(&self, text: &str) -> Result<Imported, String> {
        self.with(text, &[])
    }

    /// With columns named.
    fn with(&self, text: &str, columns: &[&str]) -> Result<Imported, String> {
        let path = self.folder.join("rows.csv");
        std::fs::write(&path, text).unwrap();
        let columns = columns.iter().map(|c| (*c).to_owned()).collect();
        import(&path, &ImportOptions { columns, ..ImportOptions::default() }).map_err(|e| e.to_string())
    }
}

#[test]
fn columns_are_what_their_names_say() {
    let case = Case { folder: common::folder("columns") };
    for (header, row, label, dropped) in [
        ("id,label,f0,f1,f2", "t,a,1,2,3", Some("a"), ""),
        ("ID,Label,0,1,2", "t,a,1,2,3", Some("a"), ""),
        (",0,1,2", "7,1,2,3", None, "a column without a name"),
        ("0,1,2", "1,2,3", None, ""),
        ("index,Target,feat_0,feat_1,feat_2", "7,a,1,2,3", Some("a"), "`index`"),
        ("image_id,x,y,class,f0,f1,f2", "t,100,200,a,1,2,3", Some("a"), ""),
        ("Unnamed: 0,filename,diagnosis,f_1,f_2,f_3,age", "0,t,a,1,2,3,61", Some("a"), "`Unnamed: 0`, `age`"),
        (
            "slide_id;Diagnosis;patch_id;x_coord;y_coord;subtype;f0;f1;f2",
            "s;a;t;1;2;3;1;2;3",
            Some("a"),
            "`subtype`",
        ),
        ("Fold,y,f0,f1,f2", "4,a,1,2,3", Some("a"), "`Fold`"),
    ] {
        // A column that is neither known nor of the family has to be left out by name.
        let text = format!("{header}\n{row}\n{row}\n");
        let Imported { features, notes } = case.read(&text).unwrap();
        assert_eq!((features.width, &*features.row(0).unwrap()), (3, &[1.0, 2.0, 3.0][..]), "{header}");
        assert_eq!(features.classes.first().map(String::as_str), label, "{header}");
        assert!(notes[0].contains("3 columns are features"), "{notes:?}");
        let said = notes[0].split("not taken: ").nth(1).unwrap_or("");
        assert_eq!(said, dropped, "{header}");
        assert_eq!(
            features.coords.is_empty(),
            !header.contains(",x,") && !header.contains("x_coord"),
            "{header}"
        );
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
        (
            "id,label,class,f0,f1\nt,a,b,1,2\n",
            "`label` and `class` both name the label; rename one, or name one with --label-column",
        ),
        ("id,path,f0,f1\nt,a,1,2\n", "`id` and `path` both name the id; name one with --id-column"),
        (
            "id,area,perimeter\nt,1,2\n",
            "name them, in the order in which every site has them, with `--columns area,perimeter`",
        ),
        ("id,f0,f1,area\nt,1,2,3\n", "`--columns 'f*'` takes `f0`, `f1`; otherwise name them"),
        ("id,f0,f1,g0,g1,g2\nt,1,2,3,4,5\n", "`--columns 'g*'` takes `g0` to `g2`"),
        ("id,f1,f01\nt,1,2\n", "`f1` and `f01` have one number"),
        ("id;f0;f1\nt;1,5;2\n", "`1,5` is no number; write numbers with a point"),
        ("<!DOCTYPE html>\n<p>", "it is a web page"),
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

/// Tables are saved with `f10` before `f2`: the same features come of every order of the columns.
#[test]
fn features_are_the_same_whatever_the_order_of_the_columns() {
    let case = Case { folder: common::folder("orders") };
    let mut names: Vec<String> = (0..12).map(|i| format!("f{i}")).collect();
    let value = |row: usize, name: &str| row * 100 + name[1..].parse::<usize>().unwrap();
    let table = |names: &[String]| {
        let row = |i: usize| {
            let cells =
                names.iter().map(|n| if n == "id" { format!("t{i}") } else { value(i, n).to_string() });
            cells.collect::<Vec<_>>().join(",")
        };
        format!("{}\n{}\n{}\n", names.join(","), row(0), row(1))
    };
    names.push("id".into());
    let plain = case.read(&table(&names)).unwrap().features;
    assert_eq!(plain.row(1).unwrap()[10].to_bits(), 110f32.to_bits());
    names.sort();
    assert_eq!(names[2], "f10");
    for turn in 0..names.len() {
        names.rotate_left(1);
        names.swap(0, turn);
        assert_eq!(case.read(&table(&names)).unwrap().features, plain, "{names:?}");
    }
    // Columns without numbers have the order that is named, in whatever order they lie.
    for text in ["id,area,solidity\nt,1,2\nu,3,5\n", "solidity,id,area\n2,t,1\n5,u,3\n"] {
        let read = case.with(text, &["area", "solidity"]).unwrap();
        assert_eq!(read.features.values.whole().unwrap()[..], [1.0, 2.0, 3.0, 5.0]);
        assert!(read.notes[0].contains("in this order: `area`, `solidity`"), "{:?}", read.notes);
    }
    // Columns without names, sorted as text; in no order they are a row, which the test below has.
    let numbers = case.read("0,1,10,2,3,4,5,6,7,8,9\n0,1,10,2,3,4,5,6,7,8,9\n").unwrap().features;
    assert_eq!(numbers.row(0).unwrap()[..], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]);
    let some = case.with("id,f1,f0,age\nt,1,2,61\nu,3,4,62\n", &["f*"]).unwrap();
    assert_eq!(some.features.row(0).unwrap()[..], [2.0, 1.0]);
    assert!(some.notes[0].contains("not taken: `age`"), "{:?}", some.notes);
    std::fs::remove_dir_all(case.folder).unwrap();
}
