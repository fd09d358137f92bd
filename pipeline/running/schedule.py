"""The order in which nodes run: each when those that it waits for have ended, several at once."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait


def run_side_by_side(
    upstream: Mapping[str, Collection[str]],
    run: Callable[[str], None],
    *,
    jobs: int,
    first: Collection[str],
    stop: Callable[[], None],
) -> dict[str, Exception]:
    """Runs nodes, at most `jobs` at a time, each after those that it waits for.

    If a node fails, those that wait for it, directly or not, do not run; all others do.

    Args:
        upstream: The nodes that each node waits for, by id, in topological order.
        run: Runs a node, in a thread.
        jobs: The number of nodes that may run at a time.
        first: The nodes that must not be held up, with all that they wait for. The others start only where these leave
            a job free, and once they run, they do not count against the jobs of these.
        stop: Called if a signal stops this thread. It makes the calls of `run` that are under way end.

    Returns:
        The errors of the nodes that failed, in the order in which they failed.
    """
    order = {node: place for place, node in enumerate(upstream)}
    waiting = sorted(upstream, key=lambda node: (node not in first, order[node]))
    succeeded: set[str] = set()
    errors: dict[str, Exception] = {}
    running: dict[Future[None], str] = {}
    with ThreadPoolExecutor(2 * jobs) as pool:
        try:
            while True:
                ready = [node for node in waiting if succeeded.issuperset(upstream[node])]
                for node in ready:
                    in_the_way = [other for other in running.values() if other in first or node not in first]
                    if len(in_the_way) < jobs:
                        waiting.remove(node)
                        running[pool.submit(run, node)] = node
                if not running:
                    return errors
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    node = running.pop(future)
                    try:
                        future.result()
                        succeeded.add(node)
                    except Exception as error:
                        errors[node] = error
        except BaseException:
            stop()
            raise


def upstream_of(node: str, upstream: Mapping[str, Collection[str]]) -> set[str]:
    """Returns a node and all nodes that it waits for, directly or not; nothing if there is no such node."""
    found: set[str] = set()
    to_visit = [node] if node in upstream else []
    while to_visit:
        visited = to_visit.pop()
        if visited not in found:
            found.add(visited)
            to_visit += upstream[visited]
    return found
