"""Our rewrite of the blog's plain Keras script: read, encode, train both modes, validate on the test set.

`python -m benchmarks.blog_script --data aclImdb_v1.tar.gz --out result.json`. It keeps the post's peculiarities: the
softmax runs over the last axis, the weighted states are flattened, and there is no held-out split.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from benchmarks.blog_data import SAMPLE
from imdb_core.errors import ReviewPipelineError
from imdb_core.files import write_json


def main() -> None:
    """Runs the script and writes what it measured, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=SAMPLE, help="`sample` or the path of an aclImdb .tar.gz")
    parser.add_argument("--limit", type=int, help="maximum number of reviews per split")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--vocabulary", type=Path, help="file to write the vocabulary to")
    parser.add_argument("--out", type=Path, help="JSON file; standard output by default")
    arguments = parser.parse_args()

    started = time.monotonic()
    from benchmarks.blog_training import run

    imported = time.monotonic()
    try:
        result, vocabulary = run(arguments.data, arguments.limit, arguments.epochs, arguments.seed)
    except ReviewPipelineError as error:
        sys.exit(f"error: {error}")
    result["seconds"]["start_up"] = imported - started
    if arguments.vocabulary:
        arguments.vocabulary.write_text("".join(f"{word}\n" for word in vocabulary), encoding="utf-8")
    if arguments.out:
        write_json(arguments.out, result)
    else:
        print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
