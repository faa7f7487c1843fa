"""Races end with one branch and one pull request: two processes on a fingerprint, a server's eight workers.

``python -m tests.bench races`` runs many more of them.
"""

from tests.support import shop
from tests.support.racing import ROOMY, race_processes, race_workers


async def test_two_processes_on_one_fingerprint_make_one_branch_and_one_pull_request(tmp_path):
    await race_processes(tmp_path, rounds=20)


async def test_eight_workers_of_one_server_make_one_branch_and_one_pull_request_each(install_warm):
    async with install_warm(**ROOMY) as scenario:
        scenario.script(shop.script())
        await scenario.start_server()
        await race_workers(scenario, rounds=1)
        await scenario.leaves_nothing_behind()
