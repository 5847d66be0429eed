"""What every `model_` series must say, computed from the raw rows by scipy, scikit-learn and pandas.

Nothing of the product is used but the bounds of its histograms, which are part of its contract.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn import metrics as sk
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA

from driftgauge.families import LABEL_DELAY_BUCKETS, LATENCY_BUCKETS
from e2e import bounds, expected, expected_errors
from e2e.traffic import AT, CLASSES, DAY, HOUR, Traffic

WINDOWS: Final = {"1h": HOUR, "24h": DAY, "7d": 7 * DAY}
NAMES: Final = {
    "accuracy": "model_accuracy",
    "precision": "model_precision",
    "recall": "model_recall",
    "f1": "model_f1_score",
    "roc_auc": "model_roc_auc",
    "log_loss": "model_log_loss",
    "brier_score": "model_brier_score",
    "mse": "model_mean_squared_error",
    "rmse": "model_root_mean_squared_error",
    "mae": "model_mean_absolute_error",
    "r2": "model_r2_score",
}
ERRORS: Final = ("log_loss", "brier_score", "mse", "rmse", "mae")
EFFECTS: Final = {"ks_statistic": 0.1, "total_variation_distance": 0.1, "psi": 0.2}
# Labelled rows that a reference needs for estimates.
LEARNED_FROM: Final = 500
# Half the width of a 95 % interval in standard errors.
Z: Final = float(stats.norm.ppf(0.975))
# Rows of a column, and the tests that it is judged by: p-values and the effects that they are of.
Judged = tuple[int, list[tuple[float, dict[str, float]]]]

Floats = npt.NDArray[np.float64]
Key = tuple[str, frozenset[tuple[str, str]]]
Series = dict[Key, float]


class Oracle:
    """Collects the series of one model; `baseline` are configured metrics that win over computed ones."""

    def __init__(self, traffic: Traffic, *, baseline: Mapping[str, float]) -> None:
        self.series: Series = {}
        self._traffic = traffic
        reference = performance(traffic.reference, traffic) if traffic.reference is not None else {}
        self._baseline = {**reference, **baseline}
        self._errors = (
            expected_errors.Expected(traffic.reference, traffic.numeric, traffic.categorical)
            if traffic.task == "regression" and traffic.reference is not None and len(traffic.reference) >= LEARNED_FROM
            else None
        )

    def put(self, name: str, value: float | None, **labels: str) -> None:
        """Expect a series; one without a finite value must be absent."""
        if value is not None and np.isfinite(value):
            self.series[name, frozenset({"model": self._traffic.model, **labels}.items())] = float(value)

    def compute(self) -> Series:
        """Return everything expected of versions and windows."""
        predictions, labelled = self._traffic.predictions, final_labels(self._traffic)
        for version, rows in predictions.groupby("version"):
            place = {"version": str(version)}
            answered = labelled[labelled["version"] == version]
            self._totals(rows, answered, **place)
            counted = answered["label_time" if self._traffic.by_label_time else "time"]
            for window, length in WINDOWS.items():
                here = {**place, "window": window}
                self._predictions(rows[_inside(rows["time"], length)], **here)
                self._performance(answered[_inside(counted, length)], **here)
                self._label_ratio(rows[_inside(rows["time"], length)], **here)
        return self.series

    def _label_ratio(self, rows: pd.DataFrame, **at: str) -> None:
        own = "request_id" not in rows and "session" not in rows
        labelled = rows["label_time"].notna()
        if (own or not self._traffic.by_label_time) and labelled.any():
            self.put("model_label_ratio", labelled.mean(), **at)

    def _totals(self, rows: pd.DataFrame, labelled: pd.DataFrame, **at: str) -> None:
        self.put("model_predictions_total", len(rows), **at)
        self.put("model_prediction_errors_total", rows["failed"].sum(), **at)
        self.put("model_labels_total", len(labelled), **at)
        self._histogram("model_latency_seconds", rows["latency"], LATENCY_BUCKETS, "", **at)
        if "request_id" in rows or "session" in rows:
            delay = (labelled["label_time"] - labelled["time"]) / 1000
            self._histogram("model_label_delay_seconds", delay, LABEL_DELAY_BUCKETS, "", **at)
        for metric, value in self._baseline.items():
            self.put("model_performance_baseline", value, metric=metric, **at)

    def _histogram(self, name: str, values: pd.Series, bounds: tuple[float, ...], prefix: str, **at: str) -> None:
        values = values.dropna()
        if not len(values):
            return
        for bound in (*bounds, np.inf):
            self.put(f"{name}_bucket", (values <= bound).sum(), le=f"{bound:g}", **at)
        self.put(f"{name}_{prefix}count", len(values), **at)
        self.put(f"{name}_{prefix}sum", values.sum(), **at)

    def _predictions(self, rows: pd.DataFrame, **at: str) -> None:
        self.put("model_window_predictions", len(rows), **at)
        if not len(rows):
            return
        self.put("model_error_ratio", rows["failed"].mean(), **at)
        self._histogram("model_window_latency_seconds", rows["latency"], LATENCY_BUCKETS, "g", **at)
        if rows["latency"].notna().any():
            for q in (0.5, 0.9, 0.99):
                value = np.quantile(rows["latency"].dropna(), q)
                self.put("model_latency_quantile_seconds", value, quantile=str(q), **at)
        self._quality(rows, **at)
        reference = self._traffic.reference
        drifts = {}
        for name in self._traffic.features:
            known = None if reference is None else reference[name]
            drifts[name] = self._column("model_feature", rows[name], known, feature=name, **at)
        output = "score" if self._traffic.task == "binary" else "predicted"
        known = None if reference is None else reference[output]
        self._mix(rows, **at)
        answered = rows.loc[~rows["failed"], output]
        drift = self._column("model_prediction", answered, known, **at)
        for flag in flags({"": drift}).values():
            self.put("model_prediction_drift_detected", flag, **at)
        if reference is not None:
            self._flags(drifts, **at)
            self._together(rows, reference, **at)
            if self._traffic.task == "binary":
                self._estimates(expected.Rows.of(rows), **at)
            if self._errors:
                self._estimated_errors(self._errors.of(rows.drop(columns="label")), **at)
            self._impacts(rows, reference, **at)

    def _quality(self, rows: pd.DataFrame, **at: str) -> None:
        traffic = self._traffic
        self.put("model_missing_ratio", rows[traffic.features].isna().to_numpy().mean(), **at)
        if traffic.reference is not None:
            outliers = [_outliers(rows[name].dropna(), traffic.reference[name]) for name in traffic.numeric]
            self.put("model_outlier_ratio", np.concatenate(outliers).mean(), **at)

    def _column(self, prefix: str, column: pd.Series, reference: pd.Series | None, **at: str) -> Judged:
        values = column.dropna()
        self.put(f"{prefix}_missing_ratio", column.isna().mean(), **at)
        numeric = pd.api.types.is_numeric_dtype(column)
        if numeric and len(values) >= 2:
            self.put(f"{prefix}_mean", values.mean(), **at)
            self.put(f"{prefix}_stddev", values.std(ddof=0), **at)
        if reference is None or not len(values):
            return 0, []
        return self._moved(prefix, values, reference, **at)

    def _moved(self, prefix: str, values: pd.Series, reference: pd.Series, **at: str) -> Judged:
        numeric = pd.api.types.is_numeric_dtype(values)
        if numeric:
            self.put(f"{prefix}_outlier_ratio", _outliers(values, reference).mean(), **at)
        else:
            self.put(f"{prefix}_unseen_ratio", (~values.isin(reference)).mean(), **at)
        found = (numeric_drift if numeric else category_drift)(reference.dropna(), values) if len(values) >= 2 else {}
        for statistic, value in found.items():
            self.put(f"{prefix}_{statistic}", value, **at)
        if not found:
            return len(values), []
        known = reference.dropna()
        tests = [(found["ks_pvalue"], found)] if numeric else category_tests(known, values)
        doubt = max(1, 1000 / len(known))
        return len(values), [(doubt * p, effects) for p, effects in tests]

    def _flags(self, drifts: Mapping[str, Judged], **at: str) -> None:
        judged = flags(drifts)
        for name, drifted in judged.items():
            self.put("model_feature_drift_detected", drifted, feature=name, **at)
        self.put("model_monitored_features", len(judged), **at)
        if judged:
            self.put("model_drifted_features", sum(judged.values()), **at)
            self.put("model_drifted_features_ratio", np.mean(list(judged.values())), **at)
            self.put("model_drift_detected", any(judged.values()), **at)

    def _together(self, rows: pd.DataFrame, reference: pd.DataFrame, **at: str) -> None:
        features, few = reference[self._traffic.features], len(rows) < 2
        known, found = (columns_of_shares(side[features.columns], features) for side in (reference, rows))
        if known.shape[1] >= 2 and len(known) >= max(200, 10 * known.shape[1]) and not few:
            judged = Reconstruction(known)
            errors = judged.errors(found)
            self.put("model_reconstruction_error", errors.mean(), **at)
            self.put("model_reconstruction_error_baseline", judged.baseline, **at)
            self.put("model_reconstruction_outlier_ratio", (errors > judged.cut).mean(), **at)
            if len(rows) >= 500:
                self.put("model_reconstruction_drift_detected", judged.is_drifted(found), **at)
        known, found = (columns_of_ranks(side[features.columns], features) for side in (reference, rows))
        if known.shape[1] >= 2 and len(known) >= max(400, 2 * known.shape[1]) and not few:
            fitted = LedoitWolf().fit(known[::2])
            levels = [0.99, 0.999] if len(known[1::2]) >= 2_000 else [0.99]
            cuts = np.quantile(fitted.mahalanobis(known[1::2]), levels, method="weibull")
            for level, cut in zip(levels, cuts, strict=True):
                self.put("model_anomalous_rows_ratio", (fitted.mahalanobis(found) > cut).mean(), level=str(level), **at)

    def _impacts(self, rows: pd.DataFrame, reference: pd.DataFrame, **at: str) -> None:
        regression = self._traffic.task == "regression"
        error = (reference["predicted"] - reference["label"]).abs() if regression else None
        wrong = (reference["predicted"] != reference["label"]).astype(float)
        losses = {"accuracy": wrong} if error is None else {"mae": error, "mse": error**2}
        for name in self._traffic.features:
            known, now = reference[name].dropna(), rows[name].dropna()
            if pd.api.types.is_numeric_dtype(known):
                edges = np.unique(np.quantile(known, np.linspace(0.1, 0.9, 9)))
                known, now = (pd.Series(edges.searchsorted(side), side.index) for side in (known, now))
            for metric, loss in losses.items() if len(now) >= 2 else ():
                shares = now.value_counts(normalize=True).sub(known.value_counts(normalize=True), fill_value=0)
                self.put(
                    "model_feature_performance_impact", weighed(shares, known, loss), feature=name, metric=metric, **at
                )

    def _expected(self, rows: expected.Rows) -> dict[str, tuple[float, float]]:
        reference = self._traffic.reference
        assert reference is not None
        is_known = len(rows.score) and len(reference) >= LEARNED_FROM
        return expected.estimates(expected.Rows.of(reference), rows) if is_known else {}

    def _estimates(self, rows: expected.Rows, **at: str) -> None:
        for metric, (value, error) in self._expected(rows).items():
            self.put("model_estimated_performance", value, metric=metric, **at)
            self.put("model_estimated_degradation", self._baseline[metric] - value, metric=metric, **at)
            for bound, end in (("lower", value - Z * error), ("upper", value + Z * error)) if error else ():
                clipped = min(max(end, 0.0), 1.0)
                self.put("model_estimated_performance_bound", clipped, metric=metric, bound=bound, **at)

    def _record(self, rows: pd.DataFrame, realised: Mapping[str, float], **at: str) -> None:
        flagged = []
        for metric, (value, error) in self._expected(expected.Rows.of(rows)).items():
            if metric not in realised:
                continue
            concept = value - realised[metric]
            self.put("model_estimate_error", -concept, metric=metric, **at)
            inputs = self._baseline[metric] - value
            for part, size in (("inputs", inputs), ("concept", concept)):
                self.put("model_performance_change", size, metric=metric, part=part, **at)
            if len(rows) >= 100 and error:
                self.put("model_concept_drift_zscore", concept / error, metric=metric, **at)
                flagged.append(abs(concept) >= max(0.02, 3 * error))
        if flagged:
            self.put("model_concept_drift_detected", any(flagged), **at)

    def _estimated_errors(self, found: Mapping[str, tuple[float, float]], **at: str) -> None:
        for metric, (value, error) in found.items():
            self.put("model_estimated_performance", value, metric=metric, **at)
            base = self._baseline[metric]
            self.put("model_estimated_degradation", (value - base) / base, metric=metric, **at)
            for bound, end in (("lower", value - Z * error), ("upper", value + Z * error)):
                self.put("model_estimated_performance_bound", max(end, 0.0), metric=metric, bound=bound, **at)

    def _record_of_errors(
        self, found: Mapping[str, tuple[float, float]], rows: int, realised: Mapping[str, float], **at: str
    ) -> None:
        flagged = []
        for metric, (value, error) in found.items():
            base, concept = self._baseline[metric], realised[metric] - value
            self.put("model_estimate_error", concept, metric=metric, **at)
            for part, size in (("inputs", value - base), ("concept", concept)):
                self.put("model_performance_change", size / base, metric=metric, part=part, **at)
            if rows >= 100:
                self.put("model_concept_drift_zscore", concept / error, metric=metric, **at)
                flagged.append(abs(concept) >= max(0.02 * base, 3 * error))
        if flagged:
            self.put("model_concept_drift_detected", any(flagged), **at)

    def _performance(self, rows: pd.DataFrame, **at: str) -> None:
        self.put("model_window_labels", len(rows), **at)
        found = performance(rows, self._traffic)
        for metric, value in found.items():
            self.put(NAMES[metric], value, **at)
            base = self._baseline.get(metric)
            if base is not None:
                worse = (value - base) / base if metric in ERRORS else base - value
                self.put("model_performance_degradation", worse, metric=metric, **at)
        for metric, ends in bounds_of(rows, self._traffic).items():
            for bound, value in zip(("lower", "upper"), ends, strict=True):
                self.put("model_performance_bound", value, metric=metric, bound=bound, **at)
        self._labels(rows, **at)
        if self._traffic.task != "regression" and len(rows):
            self._classes(rows, **at)
        if self._traffic.task == "binary" and len(rows):
            self._record(rows, found, **at)
        if self._traffic.reference is not None and len(rows):
            self._slices(rows, self._traffic.reference, **at)
        if self._errors and len(rows):
            self._record_of_errors(self._errors.of(rows), len(rows), found, **at)

    def _slices(self, rows: pd.DataFrame, reference: pd.DataFrame, **at: str) -> None:
        regression = self._traffic.task == "regression"
        pvalues, rises = [], []
        for name in self._traffic.features:
            sides = [
                losses.groupby(codes).agg(["size", "mean", "sem"])
                for losses, codes in (
                    (
                        (side["predicted"] - side["label"]).abs() if regression else side["predicted"] != side["label"],
                        of,
                    )
                    for side, of in zip((reference, rows), sliced(reference[name], rows[name]), strict=True)
                )
            ]
            for _, one in sides[0].join(sides[1], lsuffix="0", rsuffix="1", how="inner").iterrows():
                if min(one["size0"], one["size1"]) >= 50:
                    pvalue, rise = (errors_rose if regression else shares_rose)(one)
                    pvalues.append(pvalue)
                    rises.append(rise)
        if pvalues:
            significant = stats.false_discovery_control(pvalues) <= 0.005
            self.put("model_segments_worse", (significant & (np.array(rises) >= 0.05)).sum(), **at)

    def _labels(self, rows: pd.DataFrame, **at: str) -> None:
        reference = self._traffic.reference
        if reference is not None and len(rows):
            judged = self._moved("model_label", rows["label"], reference["label"], **at)
            for flag in flags({"": judged}).values():
                self.put("model_label_drift_detected", flag, **at)

    def _mix(self, rows: pd.DataFrame, **at: str) -> None:
        if self._traffic.task != "regression":
            self._shares(rows.loc[~rows["failed"], "predicted"], "predicted", **at)
            if self._traffic.reference is not None:
                self._shares(self._traffic.reference["label"], "reference", **at)

    def _shares(self, classes: pd.Series, kind: str, **at: str) -> None:
        for name, share in classes.value_counts(normalize=True).items():
            self.put("model_class_share", share, kind=kind, **{"class": str(name)}, **at)

    def _classes(self, rows: pd.DataFrame, **at: str) -> None:
        names = sorted({*rows["label"], *rows["predicted"]})
        for (true, predicted), count in np.ndenumerate(
            sk.confusion_matrix(rows["label"], rows["predicted"], labels=names)
        ):
            pair = {"class": names[true], "predicted": names[predicted]}
            self.put("model_class_confusion", count, **pair, **at)
            self.put(
                "model_class_share", (rows["label"] == names[true]).mean(), kind="label", **{"class": names[true]}, **at
            )
        table = sk.precision_recall_fscore_support(rows["label"], rows["predicted"], labels=names, zero_division=np.nan)
        for name, precision, recall, f1, _ in zip(names, *table, strict=True):
            self.put("model_class_precision", precision, **{"class": name}, **at)
            self.put("model_class_recall", recall, **{"class": name}, **at)
            self.put("model_class_f1_score", f1, **{"class": name}, **at)


def sliced(reference: pd.Series, window: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return in which slice the rows of both sides are: a tenth of the reference, one of ten categories, or neither."""
    if pd.api.types.is_numeric_dtype(reference):
        edges = np.unique(np.quantile(reference.dropna(), np.linspace(0.1, 0.9, 9)))
        found = [pd.Series(edges.searchsorted(side), side.index) for side in (reference, window)]
        return found[0].where(reference.notna(), -1), found[1].where(window.notna(), -1)
    counts = reference.value_counts()
    largest = sorted(counts.index, key=lambda name: (-counts[name], name))[:10]
    one, other = (
        side.where(side.isin(largest), "others").where(side.notna(), "missing") for side in (reference, window)
    )
    return one, other


def shares_rose(one: "pd.Series[float]") -> tuple[float, float]:
    """Return the one-sided p-value of the likelihood ratio of two shares of wrong predictions, and the rise."""
    rise = one["mean1"] - one["mean0"]
    wrong = np.array([one["mean0"] * one["size0"], one["mean1"] * one["size1"]]).round()
    table = np.stack([wrong, np.array([one["size0"], one["size1"]]) - wrong])
    if not table.all(axis=None) and not table.sum(axis=1).all():
        return 0.5, rise
    both = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").pvalue
    return (both / 2 if rise > 0 else 1 - both / 2), rise


def errors_rose(one: "pd.Series[float]") -> tuple[float, float]:
    """Return the p-value of Student's t of the log ratio of two mean errors, and the relative rise."""
    error = np.hypot(one["sem0"] / one["mean0"], one["sem1"] / one["mean1"])
    t = np.log(one["mean1"] / one["mean0"]) / error
    return float(stats.t.sf(t, min(one["size0"], one["size1"]) - 1)), one["mean1"] / one["mean0"] - 1


def weighed(shares: "pd.Series[float]", known: pd.Series, loss: "pd.Series[float]") -> float:
    """Return the sum of moved shares times the reference's mean loss; cells with fewer than 20 rows have one mean."""
    of_rows = loss.loc[known.index]
    few = known.map(known.value_counts()) < 20
    common = of_rows[few] if few.sum() >= 20 else of_rows
    means = of_rows.groupby(known).mean().where(known.value_counts() >= 20, common.mean())
    return float((shares * means.reindex(shares.index).fillna(of_rows.mean())).sum())


def final_labels(traffic: Traffic) -> pd.DataFrame:
    """Return the answered predictions that have a label, with the last one that came."""
    labelled = traffic.predictions.dropna(subset="label_time")
    if len(traffic.corrections):
        labelled = labelled.set_index("request_id")
        labelled.update(traffic.corrections.set_index("request_id"))
        labelled = labelled.reset_index()
    return labelled


def _inside(time: pd.Series, length: int) -> "pd.Series[bool]":
    return time.between((AT - length) * 1000, AT * 1000)


def _outliers(values: pd.Series, reference: pd.Series) -> npt.NDArray[np.bool_]:
    low, high = np.nanquantile(reference, [0.25, 0.75])
    fence = 1.5 * (high - low)
    return np.asarray((values < low - fence) | (values > high + fence))


def numeric_drift(reference: pd.Series, window: pd.Series) -> dict[str, float]:
    """Return every statistic of a numeric column."""
    edges = np.unique(np.quantile(reference, np.linspace(0.1, 0.9, 9)))
    p, q = (
        np.bincount(np.searchsorted(edges, side), minlength=len(edges) + 1) / len(side) for side in (reference, window)
    )
    test = stats.ks_2samp(reference, window)
    deviation = reference.std(ddof=0)
    return {
        "ks_statistic": float(test.statistic),
        "ks_pvalue": float(test.pvalue),
        "wasserstein_distance": stats.wasserstein_distance(reference, window) / deviation,
        "mean_shift": (window.mean() - reference.mean()) / deviation,
    } | _divergences(p, q)


def columns_of_shares(rows: pd.DataFrame, reference: pd.DataFrame) -> Floats:
    """Return the columns (n, d) that components are of: numbers, and categories as their share, as NannyML has them."""
    columns = []
    for name, known in reference.items():
        numeric = pd.api.types.is_numeric_dtype(known)
        usual = known.mean() if numeric else known.mode()[0]
        sides = [side.fillna(usual) for side in (known, rows[name])]
        if not numeric:
            shares = sides[0].value_counts(normalize=True)
            sides = [side.map(shares).fillna(0.0) for side in sides]
        columns.append(_standardised(*sides))
    return np.column_stack([column for column in columns if column is not None])


def columns_of_ranks(rows: pd.DataFrame, reference: pd.DataFrame) -> Floats:
    """Return the columns (n, d) that distances are of: numbers, and categories as the midrank of their cell."""
    columns = []
    for name, known in reference.items():
        sides = [known, rows[name]]
        if not pd.api.types.is_numeric_dtype(known):
            counts = sorted(known.value_counts().items(), key=lambda item: (-item[1], item[0]))
            ends = np.cumsum([count for _, count in counts])
            ranks = {name: (end - count / 2) / ends[-1] for (name, count), end in zip(counts, ends, strict=True)}
            sides = [side.map(ranks).where(side.isna() | side.isin(list(ranks)), 1.0) for side in sides]
        columns.append(_standardised(*(side.fillna(sides[0].mean()) for side in sides)))
    return np.column_stack([column for column in columns if column is not None])


def _standardised(known: pd.Series, column: pd.Series) -> Floats | None:
    deviation = known.std(ddof=0)
    return ((column - known.mean()) / deviation).to_numpy(np.float64) if deviation > 1e-12 else None


class Reconstruction:
    """Errors by the components of all reference rows (n, d), and a test by those of one half of them."""

    def __init__(self, known: Floats) -> None:
        self._whole = _components(known)
        self._half = _components(known[::2])
        self._of_other = _left_over(known[1::2], self._half)
        both = np.concatenate([_left_over(known[::2], _components(known[1::2])), self._of_other])
        self.cut, self.baseline = float(np.quantile(both, 0.99)), float(both.mean())

    def errors(self, rows: Floats) -> Floats:
        """Return the error of each row."""
        return _left_over(rows, self._whole)

    def is_drifted(self, rows: Floats) -> bool:
        """Tell whether the mean error of rows moved by a tenth of its deviation, beyond chance (Welch's test)."""
        found = _left_over(rows, self._half)
        moved = abs(found.mean() - self._of_other.mean()) >= 0.1 * self._of_other.std()
        return bool(moved and stats.ttest_ind(found, self._of_other, equal_var=False).pvalue < 0.005)


def _components(rows: Floats) -> Floats:
    pca = PCA(n_components=0.65).fit(rows)
    return np.asarray(pca.components_[: min(pca.n_components_, rows.shape[1] - 1)])


def _left_over(rows: Floats, components: Floats) -> Floats:
    return np.asarray(np.linalg.norm(rows - rows @ components.T @ components, axis=1))


def category_drift(reference: pd.Series, window: pd.Series) -> dict[str, float]:
    """Return every statistic of a categorical column."""
    table = pd.DataFrame({"p": reference.value_counts(), "q": window.value_counts()}).fillna(0)
    return _table_drift(table)


def _table_drift(table: pd.DataFrame) -> dict[str, float]:
    test = stats.chi2_contingency(table, correction=False)
    p, q = (table[side].to_numpy() / table[side].sum() for side in table)
    total_variation = float(np.abs(p - q).sum() / 2)
    return {
        "chi2_statistic": float(test.statistic),
        "chi2_pvalue": float(test.pvalue),
        "total_variation_distance": total_variation,
    } | _divergences(p, q)


def category_tests(reference: pd.Series, window: pd.Series) -> list[tuple[float, dict[str, float]]]:
    """Return the two tests that a column with up to 200 categories is judged by."""
    known, live = reference.value_counts(), window.value_counts()
    once, twice = (known == 1).sum(), (known == 2).sum()
    sides = pd.DataFrame({"p": known - once / len(known), "q": live}).fillna(0)
    smaller = min(len(reference), len(window)) / (len(reference) + len(window))
    frequent = sides[sides.index.isin(known.index) & (sides.sum(axis=1) * smaller >= 5)]
    rest = pd.Series({"p": len(reference), "q": len(window)}) - frequent.sum()
    pooled = pd.concat([frequent, rest.to_frame().T], ignore_index=True)
    if len(frequent) and rest.sum() * smaller < 5:
        pooled = frequent.copy()
        pooled.loc[frequent.sum(axis=1).idxmin()] += rest
    first = _table_drift(pooled)

    weight = (once + 1) / (once + 2 * twice + 1)
    cells = [(float(known.get(name, 0)), len(reference), live.get(name, 0)) for name in known.index.union(live.index)]
    cells.append((once * weight, len(reference) * weight, live[~live.index.isin(known.index)].sum()))
    tails = [stats.beta.cdf(len(window) / (len(window) + size), own, of + 1) if own else 1 for of, size, own in cells]
    of, size, own = cells[int(np.argmin(tails))]
    second = np.array([of, size - of]) / size, np.array([own, len(window) - own]) / len(window)
    effects = {"total_variation_distance": abs(second[0][0] - second[1][0])} | _divergences(*second)
    return [(first["chi2_pvalue"], first), (min(1, min(tails) * len(cells)), effects)]


def _divergences(p: Floats, q: Floats) -> dict[str, float]:
    floored_p, floored_q = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
    psi = ((floored_q - floored_p) * np.log(floored_q / floored_p)).sum()
    return {"psi": float(psi), "js_distance": float(jensenshannon(p, q, base=2))}


def flags(columns: Mapping[str, Judged]) -> dict[str, bool]:
    """Return the verdict on every column that has 50 rows: a large effect, significant after Benjamini-Hochberg."""
    judged = {name: tests for name, (rows, tests) in columns.items() if rows >= 50 and tests}
    pvalues = [
        min(1.0, *(len(tests) * p if _is_large(effects) else 1.0 for p, effects in tests)) for tests in judged.values()
    ]
    adjusted = stats.false_discovery_control(pvalues) if pvalues else []
    return {name: bool(p < 0.01) for name, p in zip(judged, adjusted, strict=True)}


def _is_large(effects: Mapping[str, float]) -> bool:
    return any(effects.get(effect, 0) >= least for effect, least in EFFECTS.items())


def performance(rows: pd.DataFrame, traffic: Traffic) -> dict[str, float]:
    """Return the task's metrics that are defined on labelled rows."""
    if not len(rows):
        return {}
    truth, predicted = rows["label"], rows["predicted"]
    if traffic.task == "regression":
        mse = sk.mean_squared_error(truth, predicted)
        mae, r2 = sk.mean_absolute_error(truth, predicted), sk.r2_score(truth, predicted)
        return {"mse": mse, "rmse": np.sqrt(mse), "mae": mae, "r2": r2}
    averaged: dict[str, Any] = {"average": traffic.average, "zero_division": 0}
    found = {
        "accuracy": sk.accuracy_score(truth, predicted),
        "precision": sk.precision_score(truth, predicted, **averaged),
        "recall": sk.recall_score(truth, predicted, **averaged),
        "f1": sk.f1_score(truth, predicted, **averaged),
    }
    return found | (_binary_scores(rows) if traffic.task == "binary" else _class_scores(rows, traffic.average))


def bounds_of(rows: pd.DataFrame, traffic: Traffic) -> dict[str, bounds.Ends]:
    """Return the intervals of the task's metrics that have one."""
    if not len(rows):
        return {}
    truth = rows["label"]
    if traffic.task == "regression":
        return bounds.regression(truth.to_numpy(float), rows["predicted"].to_numpy(float))
    found = bounds.classes(rows, traffic.average)
    if traffic.task == "binary":
        return found | bounds.one_score(truth.astype(int).to_numpy(), rows["score"].to_numpy(float))
    scores = rows[[f"proba_{name}" for name in CLASSES]].to_numpy(float)
    return found | bounds.scores_of_classes(truth, scores, CLASSES, traffic.average)


def _binary_scores(rows: pd.DataFrame) -> dict[str, float]:
    truth, score = rows["label"].astype(int), rows["score"]
    found = {
        "log_loss": sk.log_loss(truth, score, labels=[0, 1]),
        "brier_score": float(np.square(truth - score).mean()),
    }
    return found | ({"roc_auc": sk.roc_auc_score(truth, score)} if truth.nunique() == 2 else {})


def _class_scores(rows: pd.DataFrame, average: str) -> dict[str, float]:
    truth, scores = rows["label"], rows[[f"proba_{name}" for name in CLASSES]].to_numpy()
    return {
        "log_loss": sk.log_loss(truth, scores, labels=CLASSES),
        "brier_score": sk.brier_score_loss(truth, scores, labels=CLASSES),
        "roc_auc": sk.roc_auc_score(truth, scores, multi_class="ovr", average=average, labels=CLASSES),
    }
