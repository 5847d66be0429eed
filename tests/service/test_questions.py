"""Questions of the front: each gets its own answer, and none waits for long, whatever becomes of the refresher."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from driftgauge.service.channel import Document
from driftgauge.service.questions import NoAnswer, Questions
from processes import eventually


def answer(document: Document) -> Document:
    """Return the answer to a question, which says what was asked."""
    return Document.of({"number": document.header["number"], "said": document.header["asked"]})


def test_each_gets_its_own_answer() -> None:
    """Also when answers come in another order."""
    questions, sent, all_sent = Questions(), [], threading.Barrier(3)

    def send(document: Document) -> None:
        sent.append(document)
        all_sent.wait(10)

    with ThreadPoolExecutor(3) as threads:
        found = [threads.submit(questions.ask, send, {"asked": n}) for n in range(3)]
        assert eventually(lambda: len(sent) == 3 and not all_sent.n_waiting, seconds=10)
        for document in sorted(sent, key=lambda each: -each.header["asked"]):
            questions.answered(answer(document))
        assert [future.result(10).header["said"] for future in found] == [0, 1, 2]


def test_nobody_is_there() -> None:
    """A refresher that is not there, or ends meanwhile, is said at once."""
    questions = Questions()

    def nobody(_: Document) -> None:
        raise EOFError

    with pytest.raises(NoAnswer, match="does not run"):
        questions.ask(nobody, {})
    with pytest.raises(NoAnswer, match="does not run"):
        questions.ask(lambda _: questions.gone(), {})


def test_an_answer_that_takes_long() -> None:
    """It is not waited for, and when it comes it disturbs nobody."""
    questions, sent = Questions(patience=0.01), []

    with pytest.raises(NoAnswer, match="still being made"):
        questions.ask(sent.append, {"asked": 1})
    questions.answered(answer(sent[0]))
    questions.answered(Document.of({}))
    questions.patience = 10
    assert questions.ask(lambda document: questions.answered(answer(document)), {"asked": 2}).header["said"] == 2


def test_too_many() -> None:
    """More than so many do not wait, so that other pages have threads."""
    questions = Questions(most=1)

    def send(_: Document) -> None:
        with pytest.raises(NoAnswer, match="too many"):
            questions.ask(send, {})
        questions.gone()

    with pytest.raises(NoAnswer, match="does not run"):
        questions.ask(send, {})
