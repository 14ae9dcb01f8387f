"""Upload and measure MIND's impressions and a submission: metrics by impression, then by user."""

from __future__ import annotations

import re
from pathlib import Path

import streamlit as st

from reclens.dashboard.advice import said_on_page
from reclens.dashboard.launch import UPLOAD_MB
from reclens.dashboard.widgets import plain
from reclens.data.read.mind import read_mind
from reclens.data.read.uploads import unpack_upload
from reclens.errors import RecLensError
from reclens.evaluation import evaluate_requests

__all__ = ["impressions"]

_KINDS = ["tsv", "txt", "gz", "bz2", "xz", "zst"]


def impressions() -> None:
    """Draw the inputs for the two files; the results appear where those of lists do."""
    with st.expander("Candidates by request instead: MIND's impressions and a submission", icon=":material/newspaper:"):
        places = st.columns(2)
        helps = (
            "behaviors.tsv: impression, user, time, history, candidates such as N1-0 N2-1.",
            "prediction.txt: lines such as 1 [3,1,2], the rank of each candidate.",
        )
        files = []
        for place, title, text in zip(places, ("Impressions", "Submission"), helps, strict=True):
            with place:
                key = f"file-{title.lower()}"
                files.append(st.file_uploader(title, _KINDS, key=key, max_upload_size=UPLOAD_MB, help=text))
                st.caption(text)
        behaviors, predictions = files
        if behaviors is None or predictions is None:
            return
        if not st.button("Evaluate the submission", type="primary", icon=":material/play_arrow:"):
            return
        st.session_state.pop("brought", None)
        st.session_state.pop("kept", None)
        try:
            texts = [unpack_upload(each.getvalue(), each.name) for each in (behaviors, predictions)]
            name = re.sub(r"[^A-Za-z0-9._-]", "-", Path(predictions.name).name.split(".")[0]) or "system"
            with st.spinner("Evaluating …"):
                st.session_state["brought"] = evaluate_requests(read_mind(texts[0], texts[1]), name=name)
        except RecLensError as error:
            st.error(plain(said_on_page(error)), icon=":material/error:")
