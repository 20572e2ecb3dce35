#!/usr/bin/env python3
"""scikit-learn's linear classifiers on folds that `blindscope bench learn` made: every row is asked of what was learned without its fold.

    learn_sklearn.py --rows rows.f32 --marks marks.json --json

`rows` are little-endian f32, `marks` has width, labels, groups and folds. Penalties are chosen inside each training part by five folds of
whole groups, as ours are. Prints the share of right answers in percent.
"""
import argparse
import json
import warnings

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegressionCV, RidgeClassifierCV
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


# Of releases to come, and of steps that end before the last digit stands.
warnings.filterwarnings("ignore")


def lda(_):
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")


def ridge(inner):
    return make_pipeline(StandardScaler(), RidgeClassifierCV(alphas=np.logspace(-1, 5, 13), cv=inner))


def logistic(inner):
    return make_pipeline(StandardScaler(), LogisticRegressionCV(Cs=np.logspace(-4, 1, 6), cv=inner, max_iter=500))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", required=True)
    parser.add_argument("--marks", required=True)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with open(args.marks, encoding="utf-8") as file:
        marks = json.load(file)
    rows = np.fromfile(args.rows, dtype="<f4").reshape(-1, marks["width"]).astype(np.float64)
    labels, groups, folds = (np.array(marks[name]) for name in ("labels", "groups", "folds"))
    figures = []
    for name, make in [("lda", lda), ("ridge", ridge), ("logistic", logistic)]:
        right = 0
        for fold in np.unique(folds):
            train, test = folds != fold, folds == fold
            inner = list(GroupKFold(5).split(rows[train], labels[train], groups[train]))
            model = make(inner).fit(rows[train], labels[train])
            right += int((model.predict(rows[test]) == labels[test]).sum())
        figures.append({"figure": name, "value": 100.0 * right / len(labels), "unit": "%"})
    if args.json:
        print(json.dumps({"figures": figures}))
    else:
        for figure in figures:
            print(f"{figure['figure']:10} {figure['value']:.2f} %")


if __name__ == "__main__":
    main()
