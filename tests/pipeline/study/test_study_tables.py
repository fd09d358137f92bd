import io
from pathlib import Path

from made_studies import study_record
from rich.console import Console

from pipeline.study import tables


def test_printed_tables_fit_80_columns():
    written = io.StringIO()
    tables.report(study_record(3), Path("study.json"), Console(file=written, width=80))
    lines = written.getvalue().splitlines()
    assert "│ attention, vector │ 0.7100 ± 0.0100 │ 0.7100 ± 0.0100 │ 0.2900 ± 0.0100 │" in lines
    assert lines[-1] == "61 s, 2 of 12 trainings executed, the others cached. Record: study.json"
