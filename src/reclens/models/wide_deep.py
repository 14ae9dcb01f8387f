"""Wide & Deep: a linear model beside hidden layers over fields (Cheng et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from reclens.models._core.click_model import DeepClickModel

if TYPE_CHECKING:
    from reclens.models._deep.fm import Fields

__all__ = ["WideDeep"]


@dataclass(kw_only=True)
class WideDeep(DeepClickModel):
    """A logit of the weights of all features, and of hidden layers over the vectors of all fields.

    The wide part memorises single features; the deep part generalises over their combinations.

    References:
        Cheng et al. (2016), Wide & Deep learning for recommender systems; DLRS.
    """

    name: ClassVar[str] = "wide_deep"

    def _network(self, fields: Fields) -> Any:
        from reclens.models._deep.wide_deep import WideDeep as Network

        return Network(fields, factors=self.factors, hidden=tuple(self.hidden), dropout=self.dropout)
