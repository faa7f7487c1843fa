"""Every line once: twenty logs with every kind of rotation, a server that is away, an agent that is killed.

The benchmark does the same with a million lines.
"""

from tests.support.delivering import deliver


def test_every_error_arrives_once_over_rotations_kills_and_a_server_that_is_away(tmp_path):
    delivered = deliver(tmp_path, 20_000, kills=10, seed=1, seconds=6)
    assert delivered.lines >= 20_000
    assert delivered.rotations > 50
    assert delivered.kills == 10
    assert (delivered.lost, delivered.doubled, delivered.foreign) == ({}, {}, [])
