"""The path: phases of the job, what each is for, and what to read beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["PATH", "Phase", "phase_of"]


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A phase of the path.

    Attributes:
        number: From 1.
        title: Its name.
        weeks: How long it takes beside a job.
        goals: What is understood at its end.
        lessons: Codes of the lessons that lead there.
        rooms: Pages of the documentation that do this work.
        reading: Books, courses and papers, by name.
    """

    number: int
    title: str
    weeks: int
    goals: tuple[str, ...]
    lessons: tuple[str, ...]
    rooms: tuple[str, ...]
    reading: tuple[str, ...]


PATH: Final = (
    Phase(
        number=1,
        title="Foundations of recommendation",
        weeks=4,
        goals=(
            "Tell collaborative, content-based, knowledge-based and hybrid recommenders apart.",
            "Know precision, recall, NDCG, MAP and MRR at k, and which of them answers which question.",
            "Get a clean user-item matrix out of a log with SQL and Python.",
        ),
        lessons=("1.a", "1.b", "1.c"),
        rooms=("models.md", "evaluate.md", "metrics.md", "data.md"),
        reading=(
            "Ricci, Rokach, Shapira: Recommender Systems Handbook (selected chapters)",
            "University of Minnesota: Recommender Systems Specialization (Coursera)",
            "Google: Machine Learning Crash Course, Recommendation Systems",
            "Kaggle Learn: SQL and Pandas",
        ),
    ),
    Phase(
        number=2,
        title="Experiments and metrics",
        weeks=3,
        goals=(
            "Plan an A/B test: hypothesis, size, randomisation, and what a p-value says.",
            "Choose guardrails that a recommender needs: diversity, novelty, serendipity.",
            "Know what holdouts show, and how far offline metrics foretell online ones.",
        ),
        lessons=("2.a", "2.b", "2.c", "2.d"),
        rooms=("experiment.md",),
        reading=(
            "Kohavi, Tang, Xu: Trustworthy Online Controlled Experiments",
            "Udacity: A/B Testing",
            "Netflix Technology Blog: articles on experimentation",
            "Google Research (2020): Offline Evaluation to Online Decisions",
        ),
    ),
    Phase(
        number=3,
        title="Architectures of modern recommenders",
        weeks=4,
        goals=(
            "Know what Wide & Deep, DeepFM, two-tower models, SASRec and BERT4Rec change.",
            "Know why large systems retrieve first and rank then.",
            "See what embeddings and attention do in a recommender.",
        ),
        lessons=("3.a", "3.b", "3.c"),
        rooms=("pipeline.md", "explore.md"),
        reading=(
            "Covington, Adams, Sargin (2016): Deep Neural Networks for YouTube Recommendations",
            "Hugging Face: documentation of sentence-transformers",
            "TDS: System Design for Recommendations and Search",
            "RecBole: benchmarks of the RecSys community",
        ),
    ),
    Phase(
        number=4,
        title="Fairness and bias",
        weeks=3,
        goals=(
            "Tell popularity, position, demographic and feedback-loop bias apart.",
            "Measure exposure, parity and calibration across groups.",
            "Audit the lists of a system, and say what can be concluded.",
        ),
        lessons=("4.a", "4.b", "4.c"),
        rooms=("audit.md",),
        reading=(
            "ACM RecSys tutorial: Fairness in Recommender Systems",
            "Microsoft: Responsible AI Toolbox and Fairlearn",
            "Christian: The Alignment Problem (selected chapters)",
            "Google PAIR: People + AI Guidebook",
        ),
    ),
    Phase(
        number=5,
        title="Production and portfolio",
        weeks=4,
        goals=(
            "Track experiments, build dashboards, and run checks every day.",
            "Use vector stores and text embeddings to find what a recommender cannot reach.",
            "Show three or four finished projects that others can reproduce.",
        ),
        lessons=("5.a", "5.b", "5.c"),
        rooms=("dashboard.md", "export.md", "monitor.md", "explore.md"),
        reading=(
            "Weights & Biases: documentation and free tier",
            "Pinecone: documentation and starter plan",
            "dbt Learn: courses for analytics engineers",
            "GitHub: open analyses of recommender systems",
        ),
    ),
)
"""The phases, in order."""


def phase_of(number: int) -> Phase:
    """A phase by its number.

    >>> phase_of(2).title
    'Experiments and metrics'
    """
    return PATH[number - 1]
