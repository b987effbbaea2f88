"""A backtest as a page that analysts read: one file, in light and dark, with nothing to fetch."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from services.fraud.domain.judging import Judge
from services.fraud.laboratory.backtest import Results

Array = np.ndarray[Any, Any]

_INK, _FRAUD, _GENUINE, _QUIET = "#123456", "#c2410c", "#2563eb", "#8a8f98"
"""The first stands for the page's own colour of text, and becomes it."""
_WIDE, _SQUARE = (9.2, 2.8), (4.4, 3.4)
_BINS = np.linspace(0, 1, 41)

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_environment.filters["share"] = lambda value: f"{100 * value:.1f} %"
_environment.filters["count"] = lambda value: f"{value:,}"


def render(results: Results, judge: Judge, *, source: str, truth: Array, micros: Array) -> str:
    """The page. `truth` and `micros` are of the payments that are counted, in order of time."""
    meanings = {rule.name: rule.meaning for rule in judge.rulebook.rules}
    scores = results.scores[len(results.scores) - len(truth) :]
    card = judge.model.artifact.card if judge.model else None
    return _environment.get_template("report.html").render(
        results=results,
        source=source,
        card=card,
        meanings=meanings,
        since=_day(int(micros[0]) // 86_400_000_000),
        until=_day(int(micros[-1]) // 86_400_000_000),
        plots={
            "days": _plot(_WIDE, lambda axes: _draw_days(axes, results)),
            "roc": _plot(_SQUARE, lambda axes: _draw_roc(axes, results)),
            "precision_recall": _plot(_SQUARE, lambda axes: _draw_precision_recall(axes, results)),
            "scores": _plot(_WIDE, lambda axes: _draw_scores(axes, scores, truth)),
            "importances": _plot((9.2, 4.2), lambda axes: _draw_importances(axes, card.importances)) if card else None,
        },
    )


def _day(number: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=number)


def _plot(size: tuple[float, float], draw: Callable[[Axes], None]) -> Markup:
    """A drawing as SVG in the page's own colours."""
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    draw(axes)
    for spine in ("top", "right"):
        axes.spines[spine].set_visible(False)
    for part in (axes.spines["left"], axes.spines["bottom"]):
        part.set_color(_QUIET)
    axes.tick_params(colors=_INK, labelsize=9)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)
    if (legend := axes.get_legend()) is not None:
        legend.set_frame_on(False)
        for text in legend.get_texts():
            text.set_color(_INK)
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = drawn.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    return Markup(svg.replace(_INK, "currentColor"))


def _draw_days(axes: Axes, results: Results) -> None:
    days = np.array([day.day for day in results.days], dtype="datetime64[D]")
    axes.bar(days, [day.alerts for day in results.days], color=_QUIET, alpha=0.45, label="alerts")
    axes.bar(days, [day.hits for day in results.days], color=_FRAUD, label="alerts that were fraud")
    axes.plot(days, [day.frauds for day in results.days], color=_GENUINE, linewidth=1.4, label="all fraud")
    axes.set_ylabel("payments a day")
    axes.legend(fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)


def _draw_roc(axes: Axes, results: Results) -> None:
    axes.plot(results.roc.x, results.roc.y, color=_GENUINE, linewidth=1.8)
    axes.plot([0, 1], [0, 1], color=_QUIET, linewidth=0.8, linestyle=":")
    axes.set_xlabel("share of genuine payments alerted")
    axes.set_ylabel("share of fraud found")


def _draw_precision_recall(axes: Axes, results: Results) -> None:
    axes.plot(results.precision_recall.x, results.precision_recall.y, color=_FRAUD, linewidth=1.8)
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    axes.set_ylim(0, 1.02)


def _draw_scores(axes: Axes, scores: Array, truth: Array) -> None:
    axes.hist(scores[~truth], bins=_BINS.tolist(), color=_GENUINE, alpha=0.55, label="genuine")
    axes.hist(scores[truth], bins=_BINS.tolist(), color=_FRAUD, alpha=0.75, label="fraud")
    axes.set_yscale("log")
    axes.set_xlabel("score")
    axes.set_ylabel("payments")
    axes.legend(fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)


def _draw_importances(axes: Axes, importances: Mapping[str, float]) -> None:
    names: Sequence[str] = list(importances)[:15][::-1]
    axes.barh(names, [importances[name] for name in names], color=_GENUINE)
    axes.set_xlabel("mean contribution to the margin, without sign")
