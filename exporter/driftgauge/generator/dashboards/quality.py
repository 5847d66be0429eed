"""The dashboard of what comes in: missing and strange values, refused rows and files, late predictions and labels."""

from collections.abc import Iterator
from typing import Final

from grafana_foundation_sdk.models.dashboard import Panel

from driftgauge.generator.annotations import Board
from driftgauge.generator.dashboards import scales
from driftgauge.generator.dashboards.board import Contents, Row
from driftgauge.generator.dashboards.links import of_field, of_label, to_board, with_value
from driftgauge.generator.dashboards.marks import Marks
from driftgauge.generator.dashboards.panels import About, PanelScale, bars, figure, lines
from driftgauge.generator.dashboards.queries import Query, Scope, age, grown, growth, highest, total
from driftgauge.generator.dashboards.tables import percent, ranking

SCOPE: Final = Scope(one=("window",), several=("model", "version"))
_NO_ROWS: Final = "No predictions in the window"
_NO_REFERENCE: Final = "No reference, or no such feature"
_MODEL: Final = with_value("model", "version", "window", model=of_label("model"))


def quality(marks: Marks) -> Contents:
    """Return what the dashboard shows."""
    return Contents(
        board="quality",
        description="What comes in: missing, unseen and outlying values, rejected rows and files, freshness.",
        scope=SCOPE,
        rows=[
            _now(marks),
            Row("Values", [(8, panel) for panel in _values(marks)]),
            Row("Features, worst first", [(24, _table(marks))], height=10),
            Row("Rows and files", [(8, panel) for panel in (*_unusable(), *_used())]),
            Row("Freshness", [(8, panel) for panel in _freshness(marks)]),
        ],
        alerts='model=~"$model"',
    )


def _worst(family: str, *by: str) -> str:
    return highest(SCOPE.of(family), *by)


def _refused(family: str, *by: str) -> str:
    return total(grown(SCOPE.of(family), "$__range", "model", "reason"), *by)


def _now(marks: Marks) -> Row:
    def about(title: str, text: str, nothing: str, board: Board) -> About:
        return About(title, text, nothing, to_board(board))

    figures = [
        (
            about("Missing values", "Of the feature missing most often: share of rows.", _NO_ROWS, "features"),
            _worst("model_feature_missing_ratio"),
            scales.share(marks.missing),
        ),
        (
            about("Unseen categories", "Of the worst feature: share of its values.", _NO_REFERENCE, "features"),
            _worst("model_feature_unseen_ratio"),
            scales.share(marks.unseen),
        ),
        (
            about("Outliers", "Of the worst feature: share of its values.", _NO_REFERENCE, "features"),
            _worst("model_feature_outlier_ratio"),
            scales.share(marks.outliers),
        ),
        (
            about("Failed requests", "Of the worst model: share of its requests.", _NO_ROWS, "model"),
            _worst("model_error_ratio"),
            scales.share(marks.errors),
        ),
        (
            about("Rejected rows", "Rows that could not be used, in the whole time range.", "None so far", "exporter"),
            _refused("model_rows_rejected_total"),
            scales.count(marks.rejected),
        ),
        (
            about("Unreadable files", "Files set aside, in the whole time range.", "None so far", "exporter"),
            _refused("model_batch_failures_total"),
            scales.count(marks.unreadable),
        ),
    ]
    return Row("Now", [(4, figure(about, Query(expr), scale=scale)) for about, expr, scale in figures], height=4)


def _values(marks: Marks) -> list[Panel]:
    of_all = "over all features of the model"
    of_worst = "of the model's worst feature; the line is the alert's threshold"
    wanted = [
        ("Missing values", f"Share of values that are missing, {of_all}.", "model_missing_ratio", scales.SHARE),
        ("Outliers", f"Share of values far outside the reference, {of_all}.", "model_outlier_ratio", scales.SHARE),
        (
            "Failed requests",
            "Share of the window's requests that failed; the line is the alert's threshold.",
            "model_error_ratio",
            scales.share(marks.errors),
        ),
        (
            "Missing, worst feature",
            f"Share of rows without it, {of_worst}.",
            "model_feature_missing_ratio",
            scales.share(marks.missing),
        ),
        (
            "Outliers, worst feature",
            f"Share of values outside 1.5 IQR of the reference's quartiles, {of_worst}.",
            "model_feature_outlier_ratio",
            scales.share(marks.outliers),
        ),
        (
            "Unseen categories, worst feature",
            f"Share of values that the reference never had, {of_worst}.",
            "model_feature_unseen_ratio",
            scales.share(marks.unseen),
        ),
    ]
    return [_by_model(title, text, family, scale) for title, text, family, scale in wanted]


def _by_model(title: str, text: str, family: str, scale: PanelScale) -> Panel:
    about = About(title, text, "No rows in the window, or no reference", to_board("features"))
    return lines(about, Query(_worst(family, "model"), "{{model}}"), scale=scale, links=[_MODEL])


def _table(marks: Marks) -> Panel:
    by = ("model", "feature")
    columns = [
        percent("Missing", _worst("model_feature_missing_ratio", *by), marks.missing),
        percent("Unseen", _worst("model_feature_unseen_ratio", *by), marks.unseen),
        percent("Outliers", _worst("model_feature_outlier_ratio", *by), marks.outliers),
    ]
    about = About(
        "Features with bad values",
        "The worst version of each feature in the window. A click shows the feature.",
        _NO_ROWS,
        to_board("features"),
    )
    chosen = with_value("features", "version", "window", model=of_field("model"), feature=of_field("feature"))
    return ranking(about, columns, keys=by, links=[chosen])


def _unusable() -> Iterator[Panel]:
    wanted = [
        (
            "Rejected rows by reason",
            "Rows that could not be used; the rest of their file counts.",
            Query(_rare("model_rows_rejected_total"), "{{model}}: {{reason}}"),
        ),
        (
            "Unreadable files by reason",
            "Files set aside and tried again; not_read: suffixes that are not; duplicate_batch: bytes of another file.",
            Query(
                f"{_rare('model_batch_failures_total')}\nor {_named('not_read', 'model_files_not_read_total')}\n"
                f"or {_named('duplicate_batch', 'model_duplicate_batches_total')}",
                "{{model}}: {{reason}}",
            ),
        ),
    ]
    for title, text, query in wanted:
        yield bars(About(title, text, "None so far", to_board("exporter")), query, scale=scales.COUNT, links=[_MODEL])


def _used() -> Iterator[Panel]:
    wanted = [
        (
            "Batches read",
            "Files, or new parts of files that grew, read from MLflow.",
            "Nothing read",
            Query(highest(growth(SCOPE.of("model_batches_total"), "$__rate_interval"), "model"), "{{model}}"),
        ),
        (
            "Predictions read",
            "Predictions read from MLflow, whatever time they carry.",
            "Nothing read",
            Query(_read("model_predictions_total"), "{{model}}"),
        ),
        (
            "Failed requests read",
            "Predictions read whose request failed.",
            "Nothing read",
            Query(_read("model_prediction_errors_total"), "{{model}}"),
        ),
        (
            "Labels read",
            "Labels joined to a prediction.",
            "No labels",
            Query(_read("model_labels_total"), "{{model}}"),
        ),
    ]
    for title, text, nothing, query in wanted:
        yield bars(About(title, text, nothing, to_board("exporter")), query, scale=scales.COUNT, links=[_MODEL])


def _rare(family: str) -> str:
    return grown(SCOPE.of(family), "$__rate_interval", "model", "reason")


def _named(reason: str, family: str) -> str:
    files = grown(SCOPE.of(family), "$__rate_interval", "model")
    return f'label_replace({files}, "reason", "{reason}", "", "")'


def _read(family: str) -> str:
    return total(highest(growth(SCOPE.of(family), "$__rate_interval"), "model", "version"), "model")


def _freshness(marks: Marks) -> list[Panel]:
    wanted = [
        (
            "Age of the newest prediction",
            "Time since the newest prediction; the line is the threshold of the alert on stopped traffic.",
            "model_last_prediction_timestamp_seconds",
            scales.seconds(marks.traffic_stopped),
        ),
        (
            "Age of the newest label",
            "Time since the newest label; the line is the threshold of the alert on late labels.",
            "model_last_label_timestamp_seconds",
            scales.seconds(marks.labels_late),
        ),
        (
            "Age of the newest batch",
            "Time since driftgauge last read anything of the model.",
            "model_last_batch_timestamp_seconds",
            PanelScale(unit="s", least=0),
        ),
    ]
    return [
        lines(
            About(title, text, "Never seen", to_board("exporter")),
            Query(age(_worst(family, "model")), "{{model}}"),
            scale=scale,
            links=[_MODEL],
        )
        for title, text, family, scale in wanted
    ]
