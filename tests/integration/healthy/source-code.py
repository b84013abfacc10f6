"""Turns errors of the runner into messages."""

MESSAGES = {
    "CUDA out of memory": "the card is full; offload fewer layers",
    "unknown model architecture": "update the runner",
    "failed to allocate buffer": "lower --ctx-size",
}


def explain(line: str) -> str | None:
    for text, advice in MESSAGES.items():
        if text in line:
            return advice
    if "Segmentation fault" in line:
        raise RuntimeError("the runner crashed; keep the core dump")
    return None
