"""Nobody is told that a key is gone that somebody then saves [F43], nor is it back after that [F9]."""
from __future__ import annotations

from support import deadlines


def test_keys_saved_and_read_at_their_deadline_on_every_node(make_cluster, seed):
    """[F43]; scripts/chaos --deadlines 100000 is the long version."""
    cluster = make_cluster(3)
    result = deadlines.run(cluster, 2500, seed)
    print(result.text())
    assert not result.violations, "\n".join([result.text(), *result.violations])
    # It was close: both outcomes are common.
    assert result.saved > 100 and result.gone > 100, result.text()
    assert result.unknown < 250 and result.reads > 3 * result.keys, result.text()
