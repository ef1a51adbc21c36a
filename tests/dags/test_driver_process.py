"""The processes of a driver: told from others, and killed with all that belongs to them."""


def test_a_driver_is_told_from_its_end_and_from_other_processes():
    import os
    import subprocess
    import sys

    from millrace.driver_process import APPLICATION, kill_driver
    from millrace_airflow.driver import Seen, look_at

    here = os.uname().nodename
    sleep = "import time; time.sleep(60)"
    driver = subprocess.Popen([sys.executable, "-c", sleep, str(APPLICATION)], start_new_session=True)
    other = subprocess.Popen([sys.executable, "-c", sleep], start_new_session=True)
    try:
        assert (look_at(driver.pid, here), look_at(other.pid, here)) == (Seen.RUNS, Seen.ENDED)
        assert look_at(driver.pid, "another machine") is Seen.ELSEWHERE
        assert (kill_driver(driver.pid), kill_driver(other.pid)) == (1, 0)
        assert (look_at(driver.pid, here), other.poll()) == (Seen.ENDED, None)
    finally:
        other.kill()


def test_half_a_driver_is_still_one():
    """The JVM that leads the process group was killed, and its Python is still there."""
    import os
    import subprocess
    import sys

    from millrace.driver_process import APPLICATION, kill_driver
    from millrace_airflow.driver import Seen, look_at

    python = f"{sys.executable} -c 'import time; print(1, flush=True); time.sleep(60)' {APPLICATION}"
    jvm = ["/bin/sh", "-c", f"{python} & exec sleep 60"]
    leader = subprocess.Popen(jvm, start_new_session=True, stdout=subprocess.PIPE)
    try:
        assert leader.stdout is not None
        leader.stdout.readline()
        leader.kill()
        leader.wait()
        assert look_at(leader.pid, os.uname().nodename) is Seen.RUNS
        assert kill_driver(leader.pid) == 1
    finally:
        kill_driver(leader.pid)
    assert look_at(leader.pid, os.uname().nodename) is Seen.ENDED
