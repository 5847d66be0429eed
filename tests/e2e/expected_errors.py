"""What inputs let expect of a regression's errors, by scikit-learn and pandas. Nothing of the product is used."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.tree import DecisionTreeRegressor

Floats = npt.NDArray[np.float64]


class Expected:
    """A tree on the absolute errors of a reference, and its leaves' means."""

    def __init__(self, reference: pd.DataFrame, numeric: Sequence[str], categorical: Sequence[str]) -> None:
        self._numeric = list(numeric)
        self._ranks = {name: _ranks(reference[name]) for name in categorical}
        losses = _losses(reference)
        least = max(50, min(100, len(reference) // 10))
        self._tree = DecisionTreeRegressor(max_leaf_nodes=128, min_samples_leaf=least, random_state=0)
        self._tree.fit(self._inputs(reference), losses["mae"])
        self._known = losses.assign(leaf=self._leaves(reference))
        ratios = []
        for block in np.array_split(np.arange(len(reference)), 20):
            others, apart = self._known.drop(index=block), self._known.loc[block]
            came = apart[["mae", "mse"]].mean()
            ratios.append(
                {
                    metric: (realised - value) ** 2 / variance
                    for metric, (value, variance) in _judged(others, apart["leaf"]).items()
                    for realised in [came["mse"] ** 0.5 if metric == "rmse" else came[metric]]
                }
            )
        self._scatter = pd.DataFrame(ratios).mean().clip(lower=1)

    def of(self, rows: pd.DataFrame) -> dict[str, tuple[float, float]]:
        """Return by metric what is expected of rows, and the standard error; labelled rows may scatter more."""
        leaves = pd.Series(self._leaves(rows))
        own = _losses(rows).assign(leaf=leaves) if "label" in rows else None
        found = _judged(self._known, leaves, own)
        return {
            name: (value, float((variance * self._scatter[name]) ** 0.5)) for name, (value, variance) in found.items()
        }

    def _inputs(self, rows: pd.DataFrame) -> npt.NDArray[np.float32]:
        columns = [rows[name] for name in self._numeric]
        columns += [rows[name].map(ranks) for name, ranks in self._ranks.items()]
        return np.stack([*columns, rows["predicted"]], axis=1).astype(np.float32)

    def _leaves(self, rows: pd.DataFrame) -> npt.NDArray[np.int64]:
        return np.asarray(self._tree.apply(self._inputs(rows)))


def _ranks(column: pd.Series) -> dict[str, int]:
    counts = column.value_counts()
    ordered = sorted(counts.index, key=lambda name: (-counts[name], name))
    return {name: min(rank, 10) for rank, name in enumerate(ordered)}


def _losses(rows: pd.DataFrame) -> pd.DataFrame:
    error = (rows["predicted"] - rows["label"]).abs().to_numpy(np.float64)
    return pd.DataFrame({"mae": error, "mse": error**2})


def _judged(known: pd.DataFrame, leaves: pd.Series, own: pd.DataFrame | None = None) -> dict[str, tuple[float, float]]:
    share = leaves.value_counts(normalize=True)
    found = {}
    for metric in ("mae", "mse"):
        groups = known.groupby("leaf")[metric]
        means, variances, sizes = (part.reindex(share.index) for part in (groups.mean(), groups.var(), groups.size()))
        chance = (share * variances).sum()
        if own is not None:
            chance = max(chance, (share * own.groupby("leaf")[metric].var().fillna(0)).sum())
        found[metric] = (share * means).sum(), chance / len(leaves) + (share**2 * variances / sizes).sum()
    value, variance = found["mse"]
    return found | {"rmse": (value**0.5, variance / (4 * value))}
