"""Write tests/reference/stored/tfidf.json: run once, where scikit-learn is, when TEXTS of the tests change.

python scripts/make_tfidf_values.py
"""

from __future__ import annotations

import ast
import json
from importlib.metadata import version
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"


def main() -> None:
    """Compute the vectors and write the file."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    # The texts are read from the test without importing it: where scikit-learn is, RecLens need not be.
    tree = ast.parse((TESTS / "models" / "test_content.py").read_text(encoding="utf-8"))
    texts = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "TEXTS"
    )
    values = {}
    for sublinear in (False, True):
        for least in (1, 2):
            made = TfidfVectorizer(sublinear_tf=sublinear, min_df=least)
            found = made.fit_transform(texts)
            words = made.get_feature_names_out()
            rows = (found[[at]] for at in range(len(texts)))
            named = [{words[at]: row[0, at] for at in row.nonzero()[1]} for row in rows]
            values[f"sublinear={sublinear}, min_items={least}"] = named
    versions = {package: version(package) for package in ("scikit-learn", "numpy", "scipy")}
    text = json.dumps({"versions": versions, "values": values}, indent=1, ensure_ascii=False, sort_keys=True)
    (TESTS / "reference" / "stored" / "tfidf.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
