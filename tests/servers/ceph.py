"""A whole Ceph cluster of one machine: a monitor, one store in memory, and the S3 gateway behind TLS.

apt-get install --no-install-recommends radosgw ceph-mon ceph-osd ceph-common
"""

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.servers.starting import S3Server, answers, free_port, running, wait_until

PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "ceph-authtool", "monmaptool", "openssl")

# IPv6 is off because containers often lack it, which the monitor takes for a fatal error; without tcp_nodelay each
# answer waits 40 ms for the client's acknowledgement.
_CONFIGURATION = """
[global]
fsid = {cluster}
mon host = [v2:127.0.0.1:{mon_v2},v1:127.0.0.1:{mon_v1}]
mon initial members = a
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv4 = true
ms bind ipv6 = false
keyring = {folder}/keyring
run dir = {folder}
pid file = {folder}/$name.pid
admin socket = {folder}/$name.asok
log file = {folder}/$name.log
setuser match path = /
mon data = {folder}/mon
mon allow pool size one = true
mon max pg per osd = 1000
osd data = {folder}/osd
osd objectstore = memstore
osd memory target = 939524096
memstore device bytes = 2147483648
osd class load list = *
osd class default list = *
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
rgw data = {folder}/rgw
rgw dns name = localhost
rgw frontends = beast ssl_endpoint=127.0.0.1:{port} ssl_certificate={certificate} tcp_nodelay=1
rgw rados pool autoscale bias = 0
rgw rados pool pg num min = 1
rgw thread pool size = 32
"""


def missing() -> list[str]:
    """The programs that are not installed."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


@contextmanager
def ceph(folder: Path) -> Iterator[S3Server]:
    """Run a cluster in the empty `folder`; it forgets everything when it ends. Takes some 10 s to start."""
    for name in ("mon", "osd", "rgw"):
        (folder / name).mkdir()
    port, certificate = free_port(), _certificate(folder)
    (folder / "ceph.conf").write_text(
        _CONFIGURATION.format(
            cluster=uuid.uuid4(),
            folder=folder,
            certificate=certificate,
            port=port,
            mon_v1=free_port(),
            mon_v2=free_port(),
        )
    )
    cluster = _Cluster(folder)
    with ExitStack() as daemons:
        for daemon in (cluster.monitor, cluster.store, cluster.gateway):
            name, argv = daemon()
            daemons.enter_context(running(argv, folder / f"{name}.words", cluster.environment))
        wait_until(lambda: answers(port), "Ceph's S3 gateway", 90)
        user = ("--uid=tests", "--display-name=tests", "--access-key=test-key", "--secret-key=test-secret")
        cluster.run("radosgw-admin", "user", "create", *user)
        yield S3Server("ceph", f"https://127.0.0.1:{port}", "test-key", "test-secret", certificate)


class _Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder, self.keyring = folder, str(folder / "keyring")
        self.environment = {"PATH": os.environ["PATH"], "CEPH_CONF": str(folder / "ceph.conf"), "HOME": str(folder)}

    def run(self, *argv: str) -> None:
        done = subprocess.run(argv, env=self.environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{argv}: {done.stderr}"

    def monitor(self) -> tuple[str, list[str]]:
        key, all_of = ("ceph-authtool", self.keyring, "--gen-key", "-n"), ("allow *", "--cap")
        self.run(
            "ceph-authtool", self.keyring, "--create-keyring", "--gen-key", "-n", "mon.", "--cap", "mon", "allow *"
        )
        for name in ("client.admin", "client.rgw", "osd.0"):
            self.run(*key, name, "--cap", "mon", *all_of, "osd", *all_of, "mgr", "allow *")
        text = (self.folder / "ceph.conf").read_text()
        cluster = text.partition("fsid = ")[2].partition("\n")[0]
        addresses = text.partition("mon host = ")[2].partition("\n")[0]
        monmap = str(self.folder / "monmap")
        self.run("monmaptool", "--create", "--addv", "a", addresses, "--fsid", cluster, monmap)
        self.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", self.keyring)
        return "mon", ["ceph-mon", "-f", "-i", "a"]

    def store(self) -> tuple[str, list[str]]:
        identity = str(uuid.uuid4())
        self.run("ceph", "osd", "new", identity)
        self.run("ceph", "auth", "add", "osd.0", "-i", self.keyring)
        self.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", identity)
        self.run("ceph", "osd", "crush", "add", "osd.0", "1", "root=default", "host=here")
        return "osd", ["ceph-osd", "-f", "-i", "0"]

    def gateway(self) -> tuple[str, list[str]]:
        return "rgw", ["radosgw", "-f", "-n", "client.rgw"]


def _certificate(folder: Path) -> Path:
    """Make a certificate for this machine that signs itself; the key lies in the same file, as the gateway wants it."""
    both, key, certificate = folder / "both.pem", folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both
