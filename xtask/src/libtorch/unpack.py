"""Unpacks the parts of three wheels that tch needs: unpack.py FOLDER_OF_WHEELS TARGET.

Headers keep their place under include/, libraries go to lib/, all else stays in the wheels. Run by
`cargo xtask libtorch`; Python's zipfile spares a dependency on unzip.
"""

import pathlib
import shutil
import sys
import zipfile

LIBRARIES = {
    "torch/lib/libc10.so",
    "torch/lib/libgomp.so.1",
    "torch/lib/libtorch.so",
    "torch/lib/libtorch_cpu.so",
    "nvidia/cu13/lib/libcudart.so.13",
    "nvidia/cu13/lib/libcupti.so.13",
}
HEADERS = "torch/include/"


def place(name):
    """Where a member of a wheel goes, or None if it is not needed."""
    if name in LIBRARIES:
        return pathlib.PurePosixPath("lib") / name.rsplit("/", 1)[1]
    if name.startswith(HEADERS) and not name.endswith("/") and ".." not in name.split("/"):
        return pathlib.PurePosixPath("include") / name[len(HEADERS):]
    return None


def main(wheels, target):
    for wheel in sorted(pathlib.Path(wheels).glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                inside = place(name)
                if inside is None:
                    continue
                path = pathlib.Path(target) / inside
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as source, open(path, "wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)


main(*sys.argv[1:3])
