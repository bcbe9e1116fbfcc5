"""Run the scripts once as a container runs them. Linux and root; a few minutes:

    python tests/container.py

Another user, a current folder that may not be entered or is gone, no /dev/shm, a read-only folder of the project, a
model file that is a mount of its own, a disk of 30 MB, few processes. Prints a line for each try; status 1 if one
fails.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from conftest import ROOT, write_data

USER = 4321
# Another user who may read everything, as Python may be installed in a folder of root's, and write nothing of others.
AS_USER = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs"]
AS_USER += ["--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search"]
AS_USER += ["--bounding-set=-all,+dac_read_search"]


def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)


def attempt(title, folder, script, *arguments, status=0, words="", limit=""):
    """Run a script as USER in a folder; check its status and that stderr is empty, or one line with `words`."""
    command = f'cd "$1" && {{ [ -d "$2" ] && rmdir "$2"; }} ; {limit} shift 2; exec "$@"'
    words_of = [*AS_USER, sys.executable, ROOT / script, *arguments]
    done = subprocess.run(
        ["bash", "-c", command, "bash", folder, Path(folder, "gone"), *map(str, words_of)],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    good = done.returncode == status and words in done.stderr and len(done.stderr.splitlines()) == bool(words)
    print(f"{'good' if good else 'FAILED'}: {title}")
    if not good:
        print(f"status {done.returncode}, not {status}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
    return good


def tries(place):
    """Yield whether each try was good; `place` is an empty folder in mounts of this process's own."""
    forbidden, disk, model = place / "forbidden", place / "disk", place / "model.h5"
    forbidden.mkdir(mode=0o700)
    disk.mkdir()
    place.chmod(0o755)
    data = write_data(place / "data", train=400)
    mount("-t", "tmpfs", "-o", f"size=30m,uid={USER},mode=755", "tmpfs", disk)
    mount("-t", "tmpfs", "-o", "ro", "tmpfs", "/dev/shm")
    mount("--bind", ROOT, ROOT)
    mount("-o", "remount,ro,bind", ROOT)
    model.touch()
    (disk / "mounted.h5").touch()
    os.chown(disk / "mounted.h5", USER, USER)
    mount("--bind", disk / "mounted.h5", model)
    both = "--data-dir", data, "--any-data", "--images", disk / "images"
    train = "fashion_mnist.py", *both, "--epochs", 2, "--batch-size", 64
    title, words = "a model that is a mount, in a folder of root's", "it cannot be resumed"
    yield attempt(title, forbidden, *train, "--model", model, words=words)
    assert model.samefile(disk / "mounted.h5")
    yield attempt(
        "evaluate it", forbidden, "fashion_mnist_loaded.py", *both, "--model", model, "--json", disk / "r.json"
    )
    (place / "left").mkdir()
    os.chdir("/")
    yield attempt("an analysis in a folder that is gone", place / "left", "initial_data_analysis.py", *both)
    (disk / "fill").write_bytes(bytes(shutil.disk_usage(disk).free - 9_000_000))
    words = "cannot be resumed after epoch 1"
    yield attempt("room for a model and no checkpoint", forbidden, *train, "--model", disk / "m.h5", words=words)
    (disk / "full").write_bytes(bytes(shutil.disk_usage(disk).free))
    words = "cannot write to the folder"
    yield attempt("a full disk", forbidden, *train, "--model", disk / "m.h5", status=1, words=words)
    (disk / "fill").unlink()
    words, limit = "ulimit -u", "ulimit -u 9;"
    few = f"few processes ({limit})"
    yield attempt(few, forbidden, *train, "--model", disk / "m.h5", status=1, words=words, limit=limit)


def main():
    if "--inside" not in sys.argv:
        sys.exit(subprocess.run(["unshare", "-m", sys.executable, __file__, "--inside"]).returncode)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        results = list(tries(Path(folder)))
        subprocess.run(["umount", Path(folder, "model.h5"), Path(folder, "disk")])
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
