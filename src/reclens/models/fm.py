"""FM: factorisation machines over the fields of users and items (Rendle 2010)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from reclens.models._core.click_model import ClickModel
from reclens.models._core.search_space import Float, Space, Whole

if TYPE_CHECKING:
    from reclens.models._deep.fm import Fields

__all__ = ["FM"]


@dataclass(kw_only=True)
class FM(ClickModel):
    """A logit of the weights of all features, and of the products of the vectors of all pairs of fields.

    The baseline of models of clicks: it sees that two fields go together, which a linear model cannot, and nothing
    beyond pairs.

    References:
        Rendle (2010), Factorization machines; ICDM.
    """

    name: ClassVar[str] = "fm"
    space: ClassVar[Mapping[str, Space]] = {"factors": Whole(8, 64), "learning_rate": Float(1e-4, 1e-2)}

    def _network(self, fields: Fields) -> Any:
        from reclens.models._deep.fm import FM as Network  # noqa: N811 - no constant

        return Network(fields, factors=self.factors)
