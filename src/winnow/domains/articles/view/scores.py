"""The scores of test articles: the model's beside those of the baselines, and the worst errors."""

import pandas as pd
from matplotlib.figure import Figure

from winnow.show.dots import dot_chart, with_interval
from winnow.show.figures import PALETTE, new_figure, styled
from winnow.show.page import Example, Table


def error_by_dimension(test: pd.DataFrame, baselines: pd.DataFrame) -> Figure:
    """Mean absolute error on test articles with its 95% interval: the model and every baseline, by dimension."""
    names = {"model": test, **{str(name): part for name, part in baselines.groupby("baseline")}}
    true = test.set_index(["article_id", "dimension"])["true"]
    rows = []
    for dimension in sorted(test["dimension"].unique()):
        for name, part in names.items():
            own = part[part["dimension"] == dimension].set_index(["article_id", "dimension"])["predicted"]
            errors = (own - true.loc[own.index]).abs()
            rows.append(with_interval(errors, name=str(dimension).replace("_", " "), measure=name))
    title = f"Error on {test['article_id'].nunique():,} test articles"
    return dot_chart({title: pd.DataFrame(rows)}, xlabel="mean absolute error, points")


def scores(test: pd.DataFrame) -> Figure:
    """Predicted over true overall scores, the mean over the dimensions: a point a test article."""
    overall = test.groupby("article_id")[["true", "predicted"]].mean()
    ends = [float(overall.to_numpy().min()), float(overall.to_numpy().max())]
    with styled():
        figure = new_figure(5.4, 5.0)
        axes = figure.subplots()
        axes.plot(ends, ends, color="#999999", linestyle="--", linewidth=1, label="equal")
        axes.scatter(overall["true"], overall["predicted"], s=12, alpha=0.6, color=PALETTE[0], label="an article")
        axes.set_xlabel("score of the label, mean over the dimensions")
        axes.set_ylabel("score of the model")
        error = (overall["predicted"] - overall["true"]).abs().mean()
        axes.set_title(f"Overall scores of {len(overall):,} test articles,\nmean absolute error {error:.2f} points")
        axes.legend(fontsize=8)
    return figure


def worst_articles(worst: pd.DataFrame, test: pd.DataFrame, count: int = 6) -> list[Example]:
    """The test articles that are scored worst, with the label's and the model's score of each dimension."""
    scored = {name: part.sort_values("dimension") for name, part in test.groupby("article_id")}
    return [
        Example(
            str(row["title"]) or str(row["article_id"]),
            lines=[f"mean absolute error {row['error']:.2f} points"],
            table=Table(
                "Scores by dimension",
                ["dimension", "label", "model"],
                [
                    [str(each["dimension"]).replace("_", " "), f"{each['true']:.1f}", f"{each['predicted']:.1f}"]
                    for each in scored[row["article_id"]].to_dict("records")
                ],
            ),
        )
        for row in worst.head(count).to_dict("records")
    ]
