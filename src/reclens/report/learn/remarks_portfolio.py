"""What the checks of projects and portfolios found, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["OF_PORTFOLIOS"]

OF_PORTFOLIOS: Final[Mapping[str, str]] = {
    "no_project": "project.toml is refused: {error}",
    "seed_of_project": "project.toml: seed is {seen}, expected {expected}: the data of the project are yours.",
    "table_columns": "{file} lacks the columns {missing}. It is what the last command of README.md writes.",
    "kept_table_differs": "{file}: rows that differ from what the seed gives: {rows}, the first of them {first}. Run "
    "the commands of README.md again.",
    "verdict_of_project": "project.toml: verdict is {seen!r}, which the interval of '{number}' does not support.",
    "incidents_of_project": "project.toml: {found} of {of} incidents are named with kind and first day; {false} "
    "that are "
    "named were not put in.",
    "text_missing": "project.toml: {entry} is empty or very short. Write it for somebody who was not there.",
    "chart_without_text": "project.toml: chart has no alternative text that says what it shows.",
    "unknown_number": "project.toml: [finding.{seen}] is about no number of the project. There are {names}.",
    "number_failed": "The number '{number}' cannot be read by its query: {error}",
    "number_without_interval": "The number '{number}' has neither an interval nor a reason why not. Let its query "
    "give low "
    "and high, or give it a reason.",
    "claim_not_carried_here": "project.toml, {entry}: {word!r} claims what no finding carries. Say what the interval "
    "supports, or that it does not.",
    "number_not_in_evidence": "project.toml, {entry}: {numbers} stand in no number of the project. Quote a number "
    "that it "
    "has, or add it as [[number]] with its query.",
    "no_improvement": "improvement.toml is refused: {error}",
    "change_not_sealed": "improvement.toml is not sealed. Choose on the validation part, set sealed = true, and run "
    "'reclens learn start 5.3' for the test.",
    "no_result": "improvement.toml: low is not below high. Compute the difference on test.parquet, with its interval.",
    "no_evidence_of_portfolio": "portfolio/evidence.json is refused: {error}",
    "too_few_projects": "The portfolio has {seen} projects, expected at least {least}.",
    "project_of_another": "The project {project} of the portfolio was made from the seed of another learner.",
    "not_reproduced": "{reproduced} of {of} numbers of the portfolio were reproduced; the first other one is "
    "'{first}' of "
    "{project}.",
    "wrong_improvement": "improvement.toml: {estimate} with an interval from {low} to {high} is not what the "
    "change gives "
    "on the users of its seal.",
    "wrong_conclusion": "improvement.toml: conclusion is {seen!r}, which the interval does not support. It is one of "
    "{expected}.",
    "improvement_text_missing": "improvement.toml: {entry} is empty or very short.",
    "improvement_claim": "improvement.toml, {entry}: {word!r} claims what the interval does not carry.",
    "improvement_number": "improvement.toml, {entry}: {numbers} are neither the estimate nor an end of its interval.",
    "check_without_data": "project.toml: [data] is for the portfolio. Check the project on the data that were "
    "drawn for you.",
    "needs_data": "its data do not travel ({licence}). Get them ({fetch}), and name them: --data {project}=PATH.",
    "data_differ": "the hash of the data is {seen}, and evidence.json has {recorded}: its numbers are of other data. "
    "They were not compared. Verify it with the version of RecLens that evidence.json names, or build the portfolio "
    "again.",
    "own_data_differ": "the data given by --data have the hash {seen}, and evidence.json has {recorded}: its numbers "
    "are of another file, or another edition of it. They were not compared. Name the file that they were made from: "
    "--data {project}=PATH.",
    "card_differs": "evidence.json: {entry} of the project is not what the seed gives.",
}
"""Code of a remark -> its sentence, with its facts in braces."""
