from made_studies import study_record

from benchmarks.study import markdown


def test_the_page_holds_every_figure():
    page = markdown(study_record(3)).split("\n")
    for line in (
        "## Study of 3 seeds, 2026-01-02",
        "imdb-attention compare --seeds 3",
        "- 100 test reviews, seeds 1, 2, 3.",
        "- Python 3.10.13, keras 3.6.0; 2026-01-02T03:04:05+00:00.",
        "| attention, vector | 0.7100 ± 0.0100 | 0.7000 to 0.7200 | 0.7100 ± 0.0100 | 0.2900 ± 0.0100 | 22 |",
        "| blog, seed 2 | 0.6000 | 0.7100 | +10.00 | 12.5% | 0.012 |",
        "- scalar: no difference shown: attention minus blog is +0.00 points (95% interval +0.00 to +0.00, 3 seeds); "
        "all trainings gave the same result.",
    ):
        assert line in page
    assert any(line.startswith("- attention: vector is better by 11.00 points (95% interval ") for line in page)
    assert any(line.startswith("| attention, vector minus scalar | +11.00 (") and " *" in line for line in page)


def test_one_seed_gives_no_verdict():
    page = markdown(study_record(1))
    assert (
        "- attention: no verdict from one seed (vector minus scalar: +10.00 points); use --seeds 2 or more.\n" in page
    )
    assert "| attention, vector minus scalar | +10.00 | +10.00 | -0.1000 |" in page
