"""Paths without what a build adds."""

import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.frames.paths import tail


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        # one file, built in many places
        ("/home/runner/work/llama.cpp/llama.cpp/src/llama.cpp", "src/llama.cpp"),
        ("/__w/llama.cpp/llama.cpp/src/llama.cpp", "src/llama.cpp"),
        ("D:\\a\\llama.cpp\\llama.cpp\\src\\llama.cpp", "src/llama.cpp"),
        ("C:\\a\\_work\\1\\s\\src\\llama.cpp", "src/llama.cpp"),
        ("/home/vsts/work/1/s/src/llama.cpp", "src/llama.cpp"),
        ("/builds/group/llama/src/llama.cpp", "src/llama.cpp"),
        ("/home/ann/llama.cpp/src/llama.cpp", "src/llama.cpp"),
        ("/private/tmp/llama.cpp-20240101-123-abc/src/llama.cpp", "src/llama.cpp"),
        (
            "/tmp/pip-install-x/llama-cpp-python_" + "0a" * 16 + "/vendor/llama.cpp/src/llama.cpp",  # noqa: S108
            "src/llama.cpp",
        ),
        ("/nix/store/" + "0a" * 16 + "-llama-1.2/src/llama.cpp", "src/llama.cpp"),
        ("/nix/store/" + "0a" * 16 + "-source/src/llama.cpp", "src/llama.cpp"),
        ("../../src/llama.cpp", "src/llama.cpp"),
        ("./src/llama.cpp", "src/llama.cpp"),
        ("src/x/../llama.cpp", "src/llama.cpp"),
        # packages
        ("/usr/src/debug/glibc-2.34-28.el9.x86_64/nptl/pthread_kill.c", "nptl/pthread_kill.c"),
        ("/build/glibc-BHL3KM/glibc-2.31/csu/../csu/libc-start.c", "csu/libc-start.c"),
        ("/build/buildd/glib2.0-2.33.6/./glib/gmain.c", "glib/gmain.c"),
        ("/builddir/build/BUILD/gcc-11.3.1-20220421/libstdc++-v3/a.cc", "libstdc++-v3/a.cc"),
        ("/opt/conda/conda-bld/pytorch_1712345678901/work/aten/src/a.cpp", "aten/src/a.cpp"),
        ("/tmp/build/80754af9/python_1564510748219/work/Objects/call.c", "Objects/call.c"),  # noqa: S108
        ("/usr/src/debug/libfoo/1.2-r0/src/a.c", "src/a.c"),
        # languages
        ("/root/.cache/uv/x/site-packages/vllm/engine/a.py", "vllm/engine/a.py"),
        ("/usr/local/lib/python3.10/dist-packages/torch/a.py", "torch/a.py"),
        ("/usr/lib/python3.10/threading.py", "threading.py"),
        ("/root/go/pkg/mod/github.com/x/y@v1.2.3/z/a.go", "github.com/x/y/z/a.go"),
        ("/usr/local/go/src/runtime/panic.go", "runtime/panic.go"),
        ("/opt/hostedtoolcache/go/1.22.1/x64/src/net/a.go", "net/a.go"),
        ("/rustc/" + "0a" * 20 + "/library/core/src/panicking.rs", "library/core/src/panicking.rs"),
        (
            "/root/.cargo/registry/src/index.crates.io-6f17d22bba15001f/tokio-1.2.3/src/lib.rs",
            "tokio/src/lib.rs",
        ),
        (
            "C:\\Users\\a\\.cargo\\registry\\src\\i-6f17\\tokio-util-1.2.3-rc.1\\src\\lib.rs",
            "tokio-util/src/lib.rs",
        ),
        ("/usr/include/c++/13/bits/std_thread.h", "bits/std_thread.h"),
        ("/usr/bin/../lib/gcc/x/10/../../../../include/c++/10/bits/a.h", "bits/a.h"),
        ("/usr/include/x86_64-linux-gnu/bits/stdio2.h", "bits/stdio2.h"),
        # build tools
        (
            "/home/b/.cache/bazel/_bazel_b/" + "0a" * 16 + "/execroot/grpc/src/core/a.c",
            "src/core/a.c",
        ),
        ("external/com_google_absl/absl/base/a.cc", "com_google_absl/absl/base/a.cc"),
        ("/Users/x/Library/Developer/Xcode/DerivedData/App-abcd/Build/a.swift", "Build/a.swift"),
        ("/b/s/w/ir/cache/builder/src/base/logging.cc", "base/logging.cc"),
        ("/b/build/slave/rel/build/src/base/logging.cc", "base/logging.cc"),
        ("/home/u/git/chromium/src/out/Rel/../../base/logging.cc", "base/logging.cc"),
        # nothing to fold
        ("llm_engine.cpp", "llm_engine.cpp"),
        ("src/a-1.2.c", "src/a-1.2.c"),
        ("/opt/claw/src/a.cu", "/opt/claw/src/a.cu"),
        ("", ""),
        ("/", "/"),
    ],
)
def test_tail(path, expected) -> None:
    assert tail(path) == expected


@pytest.mark.parametrize(
    "part",
    [
        "/",
        "/a",
        "a/",
        "../",
        "./",
        "-1.2",
        "a-1.1/",
        "a",
        "a-",
        "_0",
        "1.1",
        "vendor/",
        "work/a/a/",
        "b/",
        "x.cpp/",
        "\\",
    ],
)
def test_time_is_linear(part) -> None:
    def cost(size: int) -> float:
        path = part * (size // len(part))
        return min(timeit.repeat(lambda: tail.__wrapped__(path), number=1, repeat=3))

    assert cost(4_000) < 40 * cost(400) + 0.005
    assert cost(100_000) < 0.2


@given(st.text(st.sampled_from("ab/.\\-_1:~@"), max_size=60))
def test_property_a_tail_is_part_of_the_path_and_stays(path) -> None:
    short = tail(path)
    assert len(short) <= len(path)
    assert ".." not in short.split("/")
    assert tail(short).rpartition("/")[2] == short.rpartition("/")[2]


_FOLDERS = st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=1, max_size=4)


@given(_FOLDERS, st.sampled_from(["a.c", "b.py", "c.rs"]))
def test_property_what_stands_before_does_not_matter(folders, file) -> None:
    inner = "/".join(("src", *folders, file))
    tails = {
        tail(before + inner)
        for before in (
            "/build/pkg-1.2/",
            "/home/runner/work/x/x/",
            "/nix/store/" + "0a" * 16 + "-x/",
        )
    }
    assert len(tails) == 1
