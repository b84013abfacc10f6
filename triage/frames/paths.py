"""Source paths without what the machine that built them adds.

A path is compared with others; nobody opens it. It may hold anything, so it is read in time linear
in its length.
"""

from __future__ import annotations

from functools import lru_cache

from triage.text.late import late

MAX_LENGTH = 4096

_DRIVE = late(r"(?://[?.]/)?[A-Za-z]:/")
_NAME = r"[^/]{1,255}"
_RELEASE = r"v?\d{1,9}(?:\.\d{1,9})+[\w.+~-]{0,80}"
# Folders that end what a machine adds to a path. Each begins at the path's start or a separator.
_ROOTS = (
    # people's and temporary folders
    rf"^(?:(?:export/)?home|Users)/{_NAME}",
    r"^(?:(?:private/)?(?:var/)?tmp|root|var/root|~[\w.-]{0,40})",
    r"tmp/(?:pip-|tmp|build-)[\w.-]{1,100}",
    # hosted builders: a project's name twice, or a numbered folder
    rf"(?:_?work|__w|a|workspace|build)/(?P<twice>{_NAME})/(?P=twice)",
    rf"(?:__w/{_NAME}|_?work/\d{{1,9}}/(?:s|b|a)|a/\d{{1,9}}/s)",
    rf"(?:^builds/(?:{_NAME}/)?|workspaces?/)(?!workspace/){_NAME}",
    rf"buildkite-agent/builds/{_NAME}/{_NAME}/{_NAME}",
    r"home/circleci/project|github/workspace|drone/src",
    # packages
    r"(?:conda-bld|build_artifacts)/[^/]{1,255}(?:/work|/_build_env)?|[^/]{1,200}_\d{10,16}/work",
    r"nix/store/[0-9a-z]{32}-[^/]{1,200}(?:/source(?=/))?",
    r"usr/src/(?:debug|packages/BUILD|rpm/BUILD)|rpmbuild/BUILD|builddir/build/BUILD",
    r"^build/(?:buildd|source)",
    rf"portage/{_NAME}/{_NAME}/work|aports/{_NAME}/{_NAME}/src|Cellar/{_NAME}/{_NAME}",
    # a release's own folder: `glibc-2.31`, `llama-cpp-python_<digest>`, `1.2.3-r0`
    rf"[A-Za-z][\w.+-]{{0,100}}?[-_]{_RELEASE}|{_RELEASE}",
    r"[\w.+-]{1,100}[-_][0-9a-f]{16,64}|[\w.+-]{1,100}-\d{8}-\d{1,9}-\w{1,20}",
    # checkouts of browsers and compilers
    r"^b/(?:[^/]{1,255}/){0,6}?src|build/slave/(?:[^/]{1,255}/){1,3}?src|chromium/src",
    r"^buildbot/(?:[^/]{1,255}/){1,3}?(?:build|src)",
    # build tools
    rf"execroot/{_NAME}|_bazel_{_NAME}/[0-9a-f]{{32}}|bazel-out/{_NAME}/(?:bin|genfiles)|^external",
    rf"DerivedData/{_NAME}|SourcePackages/checkouts/{_NAME}",
    # projects inside another
    rf"(?:vendor|third_party|thirdparty|3rdparty|_deps|submodules)/{_NAME}",
    r"[\w-]{1,100}\.cpp",  # a folder that is named as llama.cpp is
    # where languages keep what is installed
    r"(?:site|dist)-packages|lib(?:64)?/python\d(?:\.\d{1,2})?",
    r"go/pkg/mod|go/(?:[\d.]{1,20}/x64/)?src",
    r"rustc/[0-9a-f]{9,40}|rustlib/src/rust",
    r"git/checkouts/[^/]{1,255}/[0-9a-f]{7,40}",
    r"(?:^usr/(?:local/)?)?include/c\+\+/(?:v1|[\d.]{1,10})(?:/[\w-]{1,60}-linux-gnu)?",
    r"^usr/(?:local/)?include(?!/c\+\+)(?:/[\w-]{1,60}-linux-gnu)?",
)
_ROOT = late(rf"(?:(?<=/)|^)(?:{'|'.join(_ROOTS)})/")
_CRATE = late(r".{0,4096}registry/src/[^/]{1,255}/([\w-]{1,100}?)-\d[^/]{0,80}(?=/)")
_MODULE_VERSION = late(r"@v?\d[^/]{0,100}(?=/)")


@lru_cache(maxsize=8192)
def tail(path: str) -> str:
    """Return a path from the project's own folder on, with `/` between its parts.

    `/home/runner/work/x/x/src/a.cpp`, `D:\\a\\x\\x\\src\\a.cpp` and `../src/a.cpp` are all
    `src/a.cpp`. Two files of one name in one project keep different tails; where nothing tells
    what a machine added, the tail is the whole path.
    """
    text = path[-MAX_LENGTH:].replace("\\", "/")
    match = _DRIVE.match(text)
    if match:
        text = text[match.end() - 1 :]
    root = text[:1] if text[:1] == "/" else ""
    text = _resolved(text)
    match = _CRATE.match(text)
    if match:  # a crate's name stays: every crate has a src/lib.rs
        return match[1] + text[match.end() :]
    start = 0
    while match := _ROOT.search(text, start):
        start = match.end()
    return _MODULE_VERSION.sub("", text[start:] if start else root + text)


def _resolved(text: str) -> str:
    """Return a path without its empty parts and steps, also those at its start."""
    parts: list[str] = []
    for part in text.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
