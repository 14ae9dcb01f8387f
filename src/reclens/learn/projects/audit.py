"""Project: the fairness audit of a marketplace: sellers, households and popular products."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from reclens.audit.procedure import run
from reclens.data.dataset import Dataset
from reclens.learn.exercise import Draw
from reclens.learn.measured import Measured, Number
from reclens.learn.project import Project, project_seed
from reclens.schema import Recommendations, fingerprint
from reclens.world.marketplace import Injected, Marketplace, draw_marketplace

__all__ = ["MarketAudit"]

_USERS: Final = 1_000
_AUDIT: Final = """\
name = "market"
lists = "lists.parquet"

[data]
truth = "truth.parquet"
train = "train.parquet"
users = "users.parquet"
items = "items.parquet"

[audit]
k = 10
metrics = ["ndcg@10"]
by = ["income"]
attributes = ["seller"]
protected = ["income"]

[report]
auditor = "Your name"
independence = "An exercise: data and lists are made up."
system = "It draws products by their appeal."
parameters = ["What a household bought before."]
surface = "A list of ten"
"""


class MarketAudit(Project):
    """An audit that a seller and households with a low income have reason to read."""

    code = "P3"
    name = "audit"
    level = "intermediate"
    of_phase = 4
    files = ("project.toml", "market.csv")
    artefact = "market.csv"
    table = "audit"
    keys = ("measure", "group", "by", "segment", "reference")
    columns = ("value", "difference", "ratio", "severity")

    def write_data(self, draw: Draw, folder: Path) -> None:
        """Lists, truth, what was bought before, attributes, and the audit."""
        market = _market(project_seed(draw))
        market.lists.table.write_parquet(folder / "lists.parquet")
        market.truth.write_parquet(folder / "truth.parquet")
        market.train.interactions.write_parquet(folder / "train.parquet")
        for name, table in (("users", market.train.users), ("items", market.train.items)):
            if table is not None:
                table.write_parquet(folder / f"{name}.parquet")
        (folder / "audit.toml").write_text(_AUDIT, encoding="utf-8")

    def measure(self, seed: int) -> Measured:
        """Audit the lists."""
        market = _market(seed)
        found = run(
            Recommendations(market.lists.table, "market", {}),
            market.truth,
            train=Dataset(market.train.interactions, users=market.train.users, items=market.train.items),
            k=10,
            metrics=["ndcg@10"],
            by=["income"],
            attributes=["seller"],
            protected=["income"],
            name="market",
        )
        return Measured(
            tables={"audit": found.to_frame()},
            numbers=_numbers(),
            primary="partner_exposure",
            data={
                "name": "a simulated marketplace of RecLens",
                "licence": "made by RecLens from the seed; free to share",
                "users": _USERS,
                "purchases": market.train.interactions.height,
                "fingerprint": fingerprint(market.lists.table, market.truth),
                "synthetic": True,
            },
            protocol={
                "attention": "a place gets 1 / log2(rank + 1)",
                "merit": "share of what is bought later",
                "groups": "sellers; households by income",
                "intervals": "95 %, bootstrap over users",
                "tests": "corrected over all that were asked",
            },
            command="reclens audit run audit.toml --workspace ../.. --report market",
        )


def _market(seed: int) -> Marketplace:
    return draw_marketplace(users=_USERS, injected=Injected(exposure=0.75, ndcg_gap=0.06), seed=seed)


def _numbers() -> list[Number]:
    exposure = [
        Number(
            key=f"{seller}_exposure",
            short=f"seller {seller}",
            label=f"attention of the seller '{seller}' ÷ share of what is bought from it",
            query="SELECT ratio AS value, ratio_low AS low, ratio_high AS high, n FROM audit WHERE measure = "
            f"'exposure_share' AND \"group\" = '{seller}' AND reference = 'merit' AND \"by\" = 'overall'",
            null=1.0,
            higher=True if seller == "partner" else None,  # the own seller is not the one that may be short
            finding="exposure",
        )
        for seller in ("partner", "own")
    ]
    users = [
        Number(
            key=f"ndcg_{income}",
            short=f"{income} income",
            label=f"NDCG@10 of households with {income} income less that of all others",
            query="SELECT difference AS value, difference_low AS low, difference_high AS high, n FROM audit WHERE "
            f"measure = 'ndcg@10' AND \"by\" = 'income' AND segment = '{income}' AND reference = 'rest'",
            null=0.0,
            higher=True,
            finding="group_gap",
        )
        for income in ("low", "middle", "high")
    ]
    return [*exposure, *users]
