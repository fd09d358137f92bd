from contextlib import ExitStack

import pytest
import tensorflow as tf

from serving.server.execution.run_pools import POOLS, least_busy, session_config


def test_runs_at_the_same_time_have_different_pools_and_share_them_evenly_beyond():
    with ExitStack() as runs:
        first = [runs.enter_context(least_busy()) for _ in range(POOLS)]
        assert sorted(first) == list(range(POOLS))
        second = [runs.enter_context(least_busy()) for _ in range(POOLS)]
        assert sorted(second) == list(range(POOLS))
    with least_busy() as pool:
        assert pool == 0


def test_a_pool_is_given_back_by_a_run_that_fails():
    for _ in range(2 * POOLS):
        with pytest.raises(ZeroDivisionError), least_busy() as pool:
            1 / pool


def test_each_pool_has_one_thread_that_sessions_share():
    pools = session_config().session_inter_op_thread_pool
    assert [pool.num_threads for pool in pools] == [1] * POOLS
    assert len({pool.global_name for pool in pools}) == POOLS


def test_a_run_takes_any_of_the_pools_and_no_other():
    with tf.Graph().as_default() as graph:
        one = tf.constant(1)
    with tf.compat.v1.Session(graph=graph, config=session_config()) as session:
        for pool in range(POOLS):
            assert session.run(one, options=tf.compat.v1.RunOptions(inter_op_thread_pool=pool)) == 1
        with pytest.raises(tf.errors.InvalidArgumentError, match="inter_op_thread_pool"):
            session.run(one, options=tf.compat.v1.RunOptions(inter_op_thread_pool=POOLS))
