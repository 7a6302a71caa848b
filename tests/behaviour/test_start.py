"""A droverd that cannot start says why and ends with status 1, and leaves no wreck behind."""

import subprocess

import pytest

from lab.programs import REPOSITORY, program

CONFIGURATION = """
node = "fe5"; interface = "eth0"; control = "%s";
groups = ( { name = "A"; vips = [ "192.0.2.100" ];
  members = ( { name = "fe5"; address = "192.0.2.5"; balancer = true; } );
  services = ( { name = "web"; protocol = "tcp"; ports = "80"; } );
} );
"""


@pytest.fixture
def configuration(tmp_path):
    tmp_path.chmod(0o755)
    path = tmp_path / "drover.conf"
    path.write_text(CONFIGURATION % (tmp_path / "control.sock"))
    return path


def start(*arguments, without_privilege=False):
    """Runs droverd in a network namespace of its own until it gives up."""
    command = [program("droverd"), *map(str, arguments)]
    if without_privilege:
        command = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", *command]
    return subprocess.run(["unshare", "--net", *command], capture_output=True, text=True,
                          timeout=20, check=False, cwd=REPOSITORY)


def test_without_privilege(configuration):
    ended = start("-c", configuration, without_privilege=True)
    assert ended.returncode == 1
    assert "cannot talk to nf_tables: Operation not permitted" in ended.stderr


def test_control_socket_in_a_missing_directory(tmp_path):
    path = tmp_path / "drover.conf"
    path.write_text(CONFIGURATION % (tmp_path / "missing" / "control.sock"))
    ended = start("-c", path)
    assert ended.returncode == 1
    assert f"cannot listen on {tmp_path}/missing/control.sock: No such file" in ended.stderr


def test_missing_configuration(tmp_path):
    ended = start("-c", tmp_path / "missing.conf")
    assert ended.returncode == 1
    assert f"{tmp_path}/missing.conf: cannot open: No such file or directory" in ended.stderr


@pytest.mark.parametrize("arguments", [["-x"], ["extra"], ["-c"]])
def test_usage(arguments):
    ended = start(*arguments)
    assert ended.returncode == 2
    assert "usage: droverd" in ended.stderr


def test_beside_another(cluster, tmp_path):
    """Whatever its control socket: two would undo each other's rules."""
    node = cluster["fe5"]
    before = node.ctl("status")["kernel"]["commits"]
    path = tmp_path / "other.conf"
    path.write_text(CONFIGURATION % (tmp_path / "control.sock"))
    ended = node.run(program("droverd"), "-c", path, check=False)
    assert ended.returncode == 1
    assert f"(pid {node.daemon.pid}) runs on this host already" in ended.stderr
    assert node.ctl("status")["kernel"]["commits"] == before
