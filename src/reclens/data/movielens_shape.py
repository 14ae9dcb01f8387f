"""What MovieLens 100K looks like in numbers: the shares and curves that the synthetic data set is drawn from."""

from __future__ import annotations

from typing import Final

__all__ = [
    "AGES",
    "FEWEST_RATINGS",
    "FIRST_SECOND",
    "GENRES",
    "OCCUPATIONS",
    "PAIRED_GENRES",
    "RATING_SHARES",
    "SPAN_SECONDS",
    "TASTE_PER_DECADE",
    "WOMEN_SHARE",
    "WOMEN_TASTE",
    "YEARS",
]


GENRES: Final = {
    "Action": 251,
    "Adventure": 135,
    "Animation": 42,
    "Children's": 122,
    "Comedy": 505,
    "Crime": 109,
    "Documentary": 50,
    "Drama": 725,
    "Fantasy": 22,
    "Film-Noir": 24,
    "Horror": 92,
    "Musical": 56,
    "Mystery": 61,
    "Romance": 247,
    "Sci-Fi": 101,
    "Thriller": 251,
    "War": 71,
    "Western": 27,
}
"""How often each genre is given in MovieLens 100K."""
PAIRED_GENRES: Final = (
    ("Action", "Adventure", 6),
    ("Action", "Sci-Fi", 6),
    ("Action", "Thriller", 3),
    ("Action", "War", 3),
    ("Adventure", "Children's", 3),
    ("Adventure", "Fantasy", 4),
    ("Adventure", "Sci-Fi", 4),
    ("Animation", "Children's", 30),
    ("Animation", "Musical", 15),
    ("Children's", "Comedy", 2),
    ("Children's", "Fantasy", 8),
    ("Children's", "Musical", 8),
    ("Comedy", "Romance", 3),
    ("Crime", "Thriller", 5),
    ("Crime", "Film-Noir", 5),
    ("Drama", "Romance", 2),
    ("Drama", "War", 3),
    ("Film-Noir", "Mystery", 10),
    ("Horror", "Thriller", 4),
    ("Mystery", "Thriller", 5),
    ("Sci-Fi", "Thriller", 3),
    ("Romance", "War", 2),
)
"""Genres that go together, and how many times more often than by chance."""
WOMEN_TASTE: Final = {
    "Romance": 0.9,
    "Children's": 0.6,
    "Musical": 0.6,
    "Drama": 0.5,
    "Animation": 0.3,
    "Action": -0.6,
    "Sci-Fi": -0.6,
    "War": -0.4,
    "Western": -0.4,
    "Horror": -0.4,
    "Crime": -0.3,
}
TASTE_PER_DECADE: Final = {
    "Drama": 0.30,
    "War": 0.30,
    "Western": 0.25,
    "Film-Noir": 0.30,
    "Mystery": 0.25,
    "Musical": 0.15,
    "Horror": -0.35,
    "Action": -0.25,
    "Animation": -0.25,
    "Comedy": -0.20,
    "Fantasy": -0.20,
    "Sci-Fi": -0.15,
}
"""How taste shifts with gender and age, in standard deviations of taste; chosen here, and mild."""
OCCUPATIONS: Final = {
    "administrator": 79,
    "artist": 28,
    "doctor": 7,
    "educator": 95,
    "engineer": 67,
    "entertainment": 18,
    "executive": 32,
    "healthcare": 16,
    "homemaker": 7,
    "lawyer": 12,
    "librarian": 51,
    "marketing": 26,
    "none": 9,
    "other": 105,
    "programmer": 66,
    "retired": 14,
    "salesman": 12,
    "scientist": 31,
    "student": 196,
    "technician": 27,
    "writer": 45,
}
AGES: Final = (
    (0.0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0),
    (7.0, 14.0, 20.5, 25.5, 31.5, 43.5, 51.5, 65.0, 73.99),
)
"""Cumulative shares, and the age at each."""
YEARS: Final = (
    (0.0, 0.02, 0.1, 0.2, 0.33, 0.46, 0.58, 0.79, 0.96, 1.0),
    (1922, 1938, 1964, 1984, 1991, 1994, 1995, 1996, 1998, 1998.99),
)
RATING_SHARES: Final = (0.0611, 0.1137, 0.2715, 0.3417, 0.2120)
WOMEN_SHARE: Final = 0.29
FEWEST_RATINGS: Final = 20
FIRST_SECOND: Final = 874_724_710
SPAN_SECONDS: Final = 18_561_928
"""Seconds from the first event to the last: about 215 days."""
