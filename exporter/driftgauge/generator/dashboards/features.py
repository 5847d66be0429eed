"""The dashboard of one model's inputs: which features drifted, since when, and what one of them looks like."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Panel

from driftgauge.generator.dashboards import scales
from driftgauge.generator.dashboards.board import Contents, Row
from driftgauge.generator.dashboards.features_together import together
from driftgauge.generator.dashboards.links import of_field, to_board, with_value
from driftgauge.generator.dashboards.marks import Mark, Marks
from driftgauge.generator.dashboards.panels import About, Heat, PanelScale, figure, heat, lines, states
from driftgauge.generator.dashboards.queries import Query, Scope, among_highest, highest, lowest
from driftgauge.generator.dashboards.tables import number, percent, ranking

SCOPE: Final = Scope(one=("model", "window", "feature"), several=("version",))
# Rows a heatmap or timeline can show legibly.
_MOST_ROWS: Final = 30
_DISTANCES: Final = {
    "psi": "PSI",
    "ks_statistic": "KS",
    "total_variation_distance": "TVD",
    "js_distance": "JS",
    "wasserstein_distance": "Wasserstein",
}
_NO_REFERENCE: Final = "No reference, or too few rows in the window"
_NUMERIC: Final = "Not a numeric feature, or no rows"


def features(marks: Marks) -> Contents:
    """Return what the dashboard shows."""
    return Contents(
        board="features",
        description="The features of one model: drift over time, the most drifted ones, and one feature in detail.",
        scope=SCOPE,
        rows=[
            _now(marks),
            Row("All features over time", [(12, _psi_heat(marks)), (12, _flags())], height=11),
            Row("Most drifted first", [(24, _table(marks))], height=11),
            Row("All features together", [(8, panel) for panel in together(SCOPE, marks)], height=7),
            Row("Feature: $feature", [(4, panel) for panel in _figures(marks)], height=4),
            Row("Feature: $feature, window against reference", [(8, panel) for panel in _details(marks)]),
            *_distribution(),
        ],
        alerts='model="$model"',
    )


def _all(statistic: str, *by: str) -> str:
    """Return a statistic of every feature, whichever is chosen."""
    return highest(SCOPE.of(f"model_feature_{statistic}", all_of=["feature"]), *by)


def _now(marks: Marks) -> Row:
    model = to_board("model")
    figures = [
        (
            About("Drifted features", "Features flagged as drifted, of the version with most.", _NO_REFERENCE, model),
            highest(SCOPE.of("model_drifted_features")),
            scales.drifted(marks),
        ),
        (
            About("Judged features", "Features with enough rows to be judged.", _NO_REFERENCE, model),
            highest(SCOPE.of("model_monitored_features")),
            scales.COUNT,
        ),
        (
            About("Share drifted", "Share of the judged features that drifted.", _NO_REFERENCE, model),
            highest(SCOPE.of("model_drifted_features_ratio")),
            scales.share(marks.drifted_ratio),
        ),
        (
            About("Largest PSI", "Largest population stability index of a feature.", _NO_REFERENCE, model),
            _all("psi"),
            scales.statistic(marks.prediction_psi),
        ),
        (
            About("Any drift", "Whether any feature drifted.", _NO_REFERENCE, model),
            highest(SCOPE.of("model_drift_detected")),
            PanelScale(unit="none", words=scales.FLAG),
        ),
        (
            About(
                "Rows in the window", "Predictions the values are computed on.", "No predictions", to_board("quality")
            ),
            f"sum({highest(SCOPE.of('model_window_predictions'), 'version')})",
            scales.COUNT,
        ),
    ]
    return Row("Now", [(4, figure(about, Query(expr), scale=scale)) for about, expr, scale in figures], height=4)


def _psi_heat(marks: Marks) -> Panel:
    threshold = marks.prediction_psi.value
    about = About(
        "PSI by feature and time",
        f"Population stability index of each feature, at most the {_MOST_ROWS} highest in the time range, of the worst "
        f"version. Yellow is {threshold:g}, red is {2 * threshold:g} and more.",
        _NO_REFERENCE,
        to_board("model"),
    )
    of = SCOPE.of("model_feature_psi", all_of=["feature"])
    shown = among_highest(highest(of, "feature"), of=of, by="feature", count=_MOST_ROWS)
    colours = Heat(scheme="RdYlGn", least=0, most=2 * threshold)
    return heat(about, Query(shown, "{{feature}}"), scale=scales.NUMBER, colours=colours)


def _flags() -> Panel:
    about = About(
        "Drift flags",
        f"When each feature was flagged: its shift is both large and significant. At most the {_MOST_ROWS} with the "
        "highest PSI in the time range.",
        _NO_REFERENCE,
        to_board("model"),
    )
    of = SCOPE.of("model_feature_psi", all_of=["feature"])
    shown = among_highest(_all("drift_detected", "feature"), of=of, by="feature", count=_MOST_ROWS)
    link = with_value("features", "model", "version", "window", feature="${__field.labels.feature}")
    return states(about, Query(shown, "{{feature}}"), scale=PanelScale(unit="none", words=scales.FLAG), links=[link])


def _table(marks: Marks) -> Panel:
    by = ("feature", "version")
    pvalues = " or ".join(SCOPE.of(f"model_feature_{test}_pvalue", all_of=["feature"]) for test in ("ks", "chi2"))
    columns = [
        number("PSI", _all("psi", *by), marks.prediction_psi),
        number("Drift flag", _all("drift_detected", *by), marks.drifted_feature),
        number("KS", _all("ks_statistic", *by)),
        number("TVD", _all("total_variation_distance", *by)),
        number("p", f"round({lowest(pvalues, *by)}, 0.0001)"),
        number("JS", _all("js_distance", *by)),
        number("Wasserstein", _all("wasserstein_distance", *by)),
        number("Mean shift", _all("mean_shift", *by)),
        percent("Missing", _all("missing_ratio", *by), marks.missing),
        percent("Unseen", _all("unseen_ratio", *by), marks.unseen),
        percent("Outliers", _all("outlier_ratio", *by), marks.outliers),
    ]
    about = About(
        "Features, most drifted first",
        "KS, Wasserstein, mean shift and outliers are of numeric features, TVD and unseen of categorical ones; p is "
        "the p-value of the test, before it is corrected for the number of features. A click shows the feature below.",
        _NO_REFERENCE,
        to_board("quality"),
    )
    chosen = with_value("features", "model", "version", "window", feature=of_field("feature"))
    return ranking(about, columns, keys=by, links=[chosen])


def _distribution() -> list[Row]:
    """Return the feature's distribution itself."""
    panels = [_histogram("window", "in the window"), _histogram("reference", "of the reference")]
    return [Row("Feature: $feature, its distribution", [(12, panel) for panel in panels])]


def _histogram(kind: str, words: str) -> Panel:
    about = About(
        f"Distribution {words}",
        "Share of the feature's values in each of the PSI's bins, over time; of several versions the highest.",
        "Off by default: write `publish_bins: true` for the model in driftgauge.yml",
        to_board("model"),
    )
    buckets = highest(SCOPE.of("model_feature_distribution", "_bucket", kind=kind), "le")
    return heat(about, Query(buckets, "{{le}}", form="heatmap"), scale=scales.NUMBER, colours=Heat(scheme="Blues"))


def _figures(marks: Marks) -> list[Panel]:
    flag = PanelScale(unit="none", words=scales.FLAG)
    pvalues = " or ".join(SCOPE.of(f"model_feature_{test}_pvalue") for test in ("ks", "chi2"))
    chi2 = SCOPE.of("model_feature_chi2_statistic")
    wanted = [
        ("Drift", "Whether its shift is both large and significant.", _one("drift_detected"), flag),
        (
            "PSI",
            "Population stability index against the reference.",
            _one("psi"),
            scales.statistic(marks.prediction_psi),
        ),
        (
            "Largest distance",
            "Kolmogorov-Smirnov distance of a numeric feature, total variation distance of a categorical one.",
            highest(" or ".join(map(_selector, ("ks_statistic", "total_variation_distance")))),
            scales.NUMBER,
        ),
        (
            "p-value",
            "Of the Kolmogorov-Smirnov or chi-square test.",
            lowest(pvalues),
            PanelScale(unit="sci", decimals=1),
        ),
        (
            "Test statistic",
            "Kolmogorov-Smirnov distance of a numeric feature, chi-square statistic of a categorical one.",
            highest(f"{_selector('ks_statistic')} or {chi2}"),
            scales.NUMBER,
        ),
        ("Missing", "Share of rows in which it is missing.", _one("missing_ratio"), scales.share(marks.missing)),
    ]
    return [
        figure(About(title, text, _NO_REFERENCE, to_board("quality")), Query(expr), scale=scale)
        for title, text, expr, scale in wanted
    ]


def _selector(statistic: str) -> str:
    return SCOPE.of(f"model_feature_{statistic}")


def _one(statistic: str, *by: str) -> str:
    return highest(_selector(statistic), *by)


def _details(marks: Marks) -> list[Panel]:
    return [_shift(), _mean(), _deviation(), _distances(marks), _significance(), _quality(marks)]


def _mean() -> Panel:
    about = About("Mean", "Mean of the feature in the window, by version.", _NUMERIC, to_board("model"))
    return lines(about, Query(_one("mean", "version"), "{{version}}"), scale=scales.NUMBER)


def _deviation() -> Panel:
    about = About("Standard deviation", "Spread of the feature in the window, by version.", _NUMERIC, to_board("model"))
    return lines(about, Query(_one("stddev", "version"), "{{version}}"), scale=scales.NUMBER)


def _shift() -> Panel:
    about = About(
        "Shift of the mean from the reference",
        "Window mean minus reference mean, in standard deviations of the reference: 0 is where the reference is, 1 "
        "and -1 are one of its standard deviations away.",
        _NUMERIC,
        to_board("model"),
    )
    return lines(about, Query(_one("mean_shift", "version"), "{{version}}"), scale=scales.NUMBER)


def _distances(marks: Marks) -> Panel:
    about = About(
        "Distance from the reference",
        "Every distance of the feature's distribution from the reference's, of the worst version; the line is the PSI "
        "that is large for an output.",
        _NO_REFERENCE,
        to_board("model"),
    )
    queries = [Query(_one(statistic), name) for statistic, name in _DISTANCES.items()]
    return lines(about, *queries, scale=scales.statistic(marks.prediction_psi))


def _significance() -> Panel:
    about = About(
        "p-value",
        "How likely a shift as large is by chance, by version; small means it is real. Before it is corrected for the "
        "number of features.",
        _NO_REFERENCE,
        to_board("model"),
    )
    queries = [
        Query(lowest(_selector(f"{test}_pvalue"), "version"), f"{{{{version}}}} {name}")
        for test, name in (("ks", "KS"), ("chi2", "chi-square"))
    ]
    return lines(about, *queries, scale=PanelScale(unit="sci", least=0, most=1))


def _quality(marks: Marks) -> Panel:
    about = About(
        "Missing, unseen and outlying values",
        "Shares of the worst version; the line is the lowest threshold of an alert.",
        "No rows in the window",
        to_board("quality"),
    )
    queries = [
        Query(_one("missing_ratio"), "missing"),
        Query(_one("unseen_ratio"), "unseen"),
        Query(_one("outlier_ratio"), "outliers"),
    ]
    lowest_mark: Mark = min(marks.missing, marks.unseen, marks.outliers)
    return lines(about, *queries, scale=scales.share(lowest_mark))
