"""The Python SDK (python3-docker) in front of the daemon of stage 02.

Run by: compose.bats, which says where the daemon is in DOCKER_HOST. Ends with "all of it", or with the
assertion that failed.
"""

import io
import tarfile

import docker
import docker.errors

client = docker.from_env(timeout=30)


def refused(kind, call, *arguments, **options):
    """The call fails with this kind of error; its message is returned."""
    try:
        call(*arguments, **options)
    except kind as error:
        return str(error)
    raise AssertionError(f"{call} was not refused")


def containers():
    assert client.ping()
    assert client.version()["ApiVersion"] == "1.43"
    assert client.containers.run("busybox", ["echo", "hello"], remove=True) == b"hello\n"
    error = refused(docker.errors.ContainerError, client.containers.run, "busybox", ["sh", "-c", "exit 7"], remove=True)
    assert "non-zero exit status 7" in error

    web = client.containers.run(
        "busybox", ["sh", "-c", "echo begin; exec sleep 1000"], name="web", detach=True,
        environment={"A": "b"}, labels={"purpose": "sdk"}, mem_limit="64m", healthcheck={"test": ["CMD", "true"], "interval": 10**9})
    assert [c.name for c in client.containers.list(filters={"label": "purpose=sdk"})] == ["web"]
    code, output = web.exec_run(["sh", "-c", "echo $A; echo bad >&2; exit 3"], demux=True)
    assert (code, output) == (3, (b"b\n", b"bad\n"))
    assert web.exec_run("tty", tty=True)[0] in (0, 1)
    assert b"begin" in web.logs()
    assert next(web.logs(stream=True, follow=True)) == b"begin\n"
    assert web.top()["Processes"]
    assert web.stats(stream=False)["memory_stats"]["limit"] == 64 << 20
    web.pause()
    web.reload()
    assert web.status == "paused"
    web.unpause()
    web.rename("shop")
    web.restart(timeout=0)
    web.stop(timeout=0)
    assert web.wait()["StatusCode"] in (137, 143)
    refused(docker.errors.NotFound, client.containers.get, "web")
    assert "Conflict" in refused(docker.errors.APIError, client.containers.create, "busybox", name="shop")
    archive(web)
    web.remove(v=True, force=True)


def archive(container):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("note")
        entry.size = 5
        tar.addfile(entry, io.BytesIO(b"five\n"))
    assert container.put_archive("/tmp", packed.getvalue())
    stream, stat = container.get_archive("/tmp/note")
    assert stat["name"] == "note" and stat["size"] == 5
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
        assert tar.extractfile("note").read() == b"five\n"
    assert {"Path": "/tmp/note", "Kind": 1} in container.diff()


def attached():
    container = client.containers.create("busybox", ["cat"], stdin_open=True)
    socket = container.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    container.start()
    socket._sock.sendall(b"through\n")
    frame = socket.read(8 + len("through\n"))
    assert frame[8:] == b"through\n" and frame[0] == 1
    socket.close()
    container.remove(force=True)


def attached_with_logs():
    """What was printed before, then the stream: nothing is missing between them, and nothing comes twice."""
    done = client.containers.run("busybox", ["sh", "-c", "echo out; echo err >&2"], detach=True)
    done.wait()
    assert sorted(done.attach(logs=True, stdout=True, stderr=True, demux=True)) == [b"err\n", b"out\n"]
    assert done.attach(logs=True, stderr=False) == b"out\n"
    assert done.attach(stdout=True) == b""  # neither log nor stream: nothing
    # Of a container that does not run the log comes at once, and the stream from its next start on.
    stream = done.attach(logs=True, stream=True, stderr=False)
    assert next(stream) == b"out\n"
    done.start()
    assert b"".join(stream) == b"out\n"
    done.remove()

    # Fast, but not so fast that reading it takes a minute.
    script = "i=0; while [ ! -e /stop ]; do echo -n $i; echo ,; i=$((i+1)); [ $((i%200)) != 0 ] || sleep 0.02; done; echo end"
    for tty in (False, True):
        box = client.containers.run("busybox", ["sh", "-c", script], tty=tty, detach=True)
        streams = []
        for _ in range(5):
            streams.append(box.attach(logs=True, stream=True))
            next(streams[-1])  # it is there
            assert b"\n" in box.attach(logs=True)  # who only looks disturbs nobody
        box.exec_run("touch /stop")
        box.wait()
        whole = b"".join(box.logs(stream=True))
        newline = b"\r\n" if tty else b"\n"
        assert whole.endswith(b"," + newline + b"end" + newline) and whole.startswith(b"0," + newline + b"1,")
        for stream in streams:
            assert whole.endswith(b"".join(stream))
        box.remove()


def images():
    image = client.images.get("busybox")
    assert image.tag("mine", tag="1")
    saved = b"".join(image.save())
    assert any(i.id == image.id for i in client.images.load(saved))
    assert image.history()
    client.images.remove("mine:1")
    refused(docker.errors.ImageNotFound, client.images.get, "mine:1")


def networks_and_volumes():
    network = client.networks.create("app", driver="bridge", labels={"k": "v"})
    volume = client.volumes.create("data")
    box = client.containers.run("busybox", ["sleep", "1000"], detach=True, network="app", volumes={"data": {"bind": "/data", "mode": "rw"}})
    network.reload()
    assert box in network.containers
    assert box.exec_run("touch /data/x")[0] == 0
    refused(docker.errors.APIError, network.remove)
    refused(docker.errors.APIError, volume.remove)
    network.disconnect(box)
    box.remove(force=True)
    network.remove()
    volume.remove()


def events():
    since = client.events(since=1, until=1 << 33, decode=True, filters={"type": "container", "event": "die"})
    assert next(since)["Actor"]["Attributes"]["exitCode"] == "0"
    since.close()


containers()
attached()
attached_with_logs()
images()
networks_and_volumes()
events()
assert client.df()["Images"] and client.info()["OSType"] == "linux"
print("all of it")
