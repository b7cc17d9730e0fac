# The suite in a container, for pytest: pip install testcontainers pytest
import os

from testcontainers.core.container import DockerContainer

# Where your application listens on this machine; the container reaches it by the name below. On Linux that name is the
# bridge's address: have the application listen on 0.0.0.0 during the test, for on 127.0.0.1 nobody is there.
PORT = os.environ.get("APP_PORT", "5000")
HOST = "host.docker.internal"


def test_the_receiver_stands_what_the_platform_may_do_to_it():
    suite = DockerContainer("registry.example/piopiy:0.1.0", entrypoint="/piopiy-mock", extra_hosts={HOST: "host-gateway"})
    suite = suite.with_command(
        f"check http://{HOST}:{PORT}/webhook/cdr --allow-host {HOST} --level must --no-failures --fail-on must --color never"
    )
    with suite:
        ended = suite.get_wrapped_container().wait(timeout=600)
        out, err = suite.get_logs()
    assert ended["StatusCode"] == 0, out.decode() + err.decode()
