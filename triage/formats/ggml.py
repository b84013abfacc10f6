"""ggml's failed checks, aborts and backend errors, as llama.cpp and its relatives print them.

What is odd about it: a CUDA error is a block of three lines, and only the second says where; a
ROCm build may call it a CUDA error all the same; and workers that fail one check together write
over each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from triage.formats._base import Format, Item, Region, described_error, number, reading
from triage.formats._ggml_facts import Facts
from triage.model.crash import ErrorRecord, Fragment, Role
from triage.model.position import Position
from triage.text.late import late

_APIS = {"CUDA": "cuda", "ROCm": "hip", "HIP": "hip", "MUSA": "musa", "SYCL": "sycl"}
_WORD = late(r"(?<!^)(?=[A-Z])")
_METAL_CODE = late(r"Code=(-?\d{1,6})|status (\d{1,4})")
_BLOCK = 4  # lines that an error and its place are apart at most


@dataclass(slots=True)
class _State:
    """The errors read so far, with the places of the checks among them."""

    errors: list[ErrorRecord] = field(default_factory=list)
    places: dict[tuple[str, str | None], int] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)

    def check(self, text: str, file: str | None, line: str | None, at: Position) -> None:
        """Record a failed check; what other workers print of it only counts."""
        message = f"GGML_ASSERT({text}) failed"
        place = self.places.get((message, file))
        if place is None and file is not None:
            place = self.places.get((message, None))
        elif place is None:
            place = self.first.get(message)
        if place is not None:
            known = self.errors[place]
            self.errors[place] = replace(
                known,
                file=known.file or file,
                line=known.line or number(line),
                count=known.count + 1,
            )
            self.places[message, file] = place
            return
        self.places[message, file] = len(self.errors)
        self.first.setdefault(message, len(self.errors))
        role = Role.CONSEQUENCE if text == '!"CUDA error"' and self.errors else Role.UNCLEAR
        self.errors.append(
            ErrorRecord(
                api="engine",
                name="GGML_ASSERT",
                message=message,
                file=file,
                line=number(line),
                role=role,
                at=at,
            )
        )


def _read(region: Region) -> Fragment:
    state, facts = _State(), Facts()
    source = reading(region, "ggml")
    for item in source.items():
        reader = _READERS.get(item.kind)
        if reader:
            reader(state, item)
        facts.read(item)
    return Fragment(
        dialect="ggml",
        errors=tuple(state.errors),
        engine=facts.engine,
        environment=facts.environment(),
        claimed=frozenset(source.claimed),
    )


def _check(state: _State, item: Item) -> None:
    fields = item.fields
    state.check(fields["check"], fields["check_file"], fields["check_line"], item.at)


def _bare_check(state: _State, item: Item) -> None:
    state.check(item.fields["bare"], None, None, item.at)


def _half_check(state: _State, item: Item) -> None:
    """Read a check that a line break or another writer went into."""
    end = item.rest[0] if item.rest else ""
    text, closed, _ = end.partition(") failed")
    said = item.fields["half"].rstrip() + (f" {text.strip()}" if closed and text.strip() else "")
    if closed:
        state.check(said, item.fields["half_file"], item.fields["half_line"], item.at)


def _old_check(state: _State, item: Item) -> None:
    fields = item.fields
    state.check(fields["old_check"], fields["old_file"], fields["old_line"], item.at)


def _abort(state: _State, item: Item) -> None:
    prefix = "abort" if item.kind == "abort" else "own"
    fields = item.fields
    text = fields[prefix].strip()
    follows = state.errors and text in ("CUDA error", "ROCm error", "MUSA error")
    state.errors.append(
        ErrorRecord(
            api="engine",
            name="ggml_abort",
            message=text,
            file=fields[f"{prefix}_file"],
            line=number(fields[f"{prefix}_line"]),
            role=Role.CONSEQUENCE if follows else Role.UNCLEAR,
            at=item.at,
        )
    )


def _place(state: _State, item: Item) -> None:
    """Give the error of a block the place that its second line names."""
    if state.errors and state.errors[-1].file is None:
        last = state.errors[-1]
        near = last.at and (item.at.line or 0) - (last.at.line or 0) <= _BLOCK
        if near:
            place = item.fields["place_file"], number(item.fields["place_line"])
            state.errors[-1] = replace(last, file=place[0], line=place[1])


def _device_error(state: _State, item: Item) -> None:
    fields = item.fields
    error = described_error(_APIS[fields["device_api"]], fields["device_text"].strip(), item.at)
    file, line = fields.get("device_file"), number(fields.get("device_line"))
    state.errors.append(replace(error, file=file, line=line))


def _alloc(state: _State, item: Item) -> None:
    text = item.fields["alloc_text"].strip()
    state.errors.append(described_error(item.fields["alloc_api"], text, item.at))


def _vulkan(state: _State, item: Item) -> None:
    name = "VK_ERROR_" + _WORD.sub("_", item.fields["vulkan"]).upper()
    message = item.text.strip()
    state.errors.append(ErrorRecord(api="vulkan", name=name, message=message, at=item.at))


def _vulkan_size(state: _State, item: Item) -> None:
    message = item.fields["vulkan_said"]
    state.errors.append(ErrorRecord(api="vulkan", message=message, at=item.at))


def _metal(state: _State, item: Item) -> None:
    text = item.fields["metal"].strip()
    code = _METAL_CODE.search(text)
    state.errors.append(
        ErrorRecord(
            api="metal",
            code=number(code[1] or code[2]) if code else None,
            message=text,
            at=item.at,
        )
    )


def _metal_error(state: _State, item: Item) -> None:
    fields = item.fields
    name, text = fields["metal_name"], fields["metal_text"].strip()
    state.errors.append(ErrorRecord(api="metal", name=name, message=text, at=item.at))


def _opencl(state: _State, item: Item) -> None:
    fields = item.fields
    state.errors.append(
        ErrorRecord(
            api="opencl",
            code=number(fields["cl_code"]),
            message=item.text.strip(),
            file=fields.get("cl_file"),
            line=number(fields.get("cl_line")),
            at=item.at,
        )
    )


def _sycl(state: _State, item: Item) -> None:
    code, name = number(item.fields["sycl_code"]), item.fields["sycl_name"]
    message = item.text.strip()
    state.errors.append(ErrorRecord(api="sycl", code=code, name=name, message=message, at=item.at))


def _sycl_caught(state: _State, item: Item) -> None:
    """Read where the SYCL backend caught an exception, which may be told before."""
    fields = item.fields
    kernel = fields.get("sycl_kernel")
    if state.errors and not kernel:
        return
    message = f"No kernel named {kernel} was found" if kernel else "exception"
    state.errors.append(
        ErrorRecord(
            api="sycl",
            message=message,
            file=fields["caught_file"],
            line=number(fields["caught_line"]),
            at=item.at,
        )
    )


def _load(state: _State, item: Item) -> None:
    """Read what a function of llama.cpp could not do."""
    fields = item.fields
    text = fields["load"].strip()
    if text.startswith(("failed to initialize CUDA: ", "failed to initialize ROCm: ")):
        api = "cuda" if text.startswith("failed to initialize CUDA") else "hip"
        state.errors.append(described_error(api, text.partition(": ")[2], item.at))
        return
    again = text.startswith(("failed to load", "unable to load")) and bool(state.errors)
    state.errors.append(
        ErrorRecord(
            api="engine",
            name=fields.get("load_function"),
            message=text,
            role=Role.CONSEQUENCE if again else Role.UNCLEAR,
            at=item.at,
        )
    )


_READERS = {
    "check": _check,
    "bare_check": _bare_check,
    "half_check": _half_check,
    "old_check": _old_check,
    "abort": _abort,
    "own_abort": _abort,
    "place": _place,
    "device_error": _device_error,
    "alloc": _alloc,
    "vulkan": _vulkan,
    "vulkan_size": _vulkan_size,
    "metal": _metal,
    "metal_error": _metal_error,
    "opencl": _opencl,
    "sycl": _sycl,
    "sycl_caught": _sycl_caught,
    "load": _load,
}

FORMAT = Format(
    name="ggml",
    title="ggml: llama.cpp, whisper.cpp, ollama's runner and their relatives",
    anchors=(
        "GGML_ASSERT",
        ": fatal error",
        "current device: ",
        "CUDA error",
        "ROCm error: ",
        "MUSA error: ",
        "SYCL error: ",
        "Malloc failed: ",
        "vk::",
        "ggml_vulkan: ",
        "ggml_metal",
        "ggml_opencl: ",
        "CLBlast: ",
        "OpenCL error",
        "Native API failed",
        "Exception caught at file:",
        "kIOGPUCommandBuffer",
        "error loading model",
        "failed to load model",
        "unable to load model",
        "failed to allocate ",
        "insufficient memory (",
        "not enough space in",
        "failed to initialize ",
        "llama_model_loader: ",
        "print_info: ",
        "llm_load_print_meta",
        ", compute capability ",
        "using device ",
        "build: ",
        "build info",
        ": build = ",
        "llama_context: ",
        "generate: n_ctx = ",
        "repeat_last_n = ",
        "Welcome to KoboldCpp",
        "llama.cpp:",
        "whisper.cpp:",
        "clip.cpp:",
        "ggml.c:",
        ".cu:",
        ".cuh:",
        "not implemented",
        " not support",
        "unsupported",
    ),
    opens=late(
        r"[^\n]{0,200}?(?:GGML_ASSERT[(:]|current device: -?\d"
        r"|(?<!Error: )(?:CUDA|ROCm|MUSA|SYCL|HIP) error: [A-Za-z]"
        r"|\.(?:c|cc|cpp|cu|cuh|m|mm|h|hpp):\d{1,9}: (?![^\n]{0,2000}Assertion [`'])"
        r"(?:fatal error|[^\n]{0,60}error|[a-z])"
        r"|(?:ggml|llama|clip|mtmd|whisper)[\w.-]{0,60}\.(?:c|cpp|cu|cuh|m|h):\d{1,9}: "
        r"(?!Assert)[A-Z]"
        r"|(?:cuda|hip)Malloc\w{0,20} failed: |vk::[\w:]{2,100}: Error[A-Z]|ggml_vulkan: "
        r"|ggml_metal\w{0,60}: |ggml_opencl: |CLBlast: |OpenCL error|Native API failed\."
        r"|Exception caught at file:"
        r"|kIOGPUCommandBufferCallbackError|llama_model_loader: "
        r"|(?:print_info|llm_load_print_meta|llama_context|llama_new_context_with_model): "
        r"|using device \w{2,40} \(|[ \t]Device \d{1,3}: [^\n,]{2,120}, (?:compute cap|gfx)"
        r"|main: build = \d|build info|Welcome to KoboldCpp|generate: n_ctx = \d|repeat_last_n = "
        r"|: (?:[Ee]rror: |ERROR: )?(?:error loading model|failed to load (?:the )?model"
        r"|unable to load model|failed to allocate |insufficient memory \("
        r"|not enough space in the |failed to initialize (?:CUDA|ROCm)))"
        r"|(?:build|version): \d{1,7} \(|error loading model: "
    ),
    read=_read,
    after=3,
    reach=40,
    yields_to=("gdb", "ollama", "openclaw", "sanitizer"),
)
