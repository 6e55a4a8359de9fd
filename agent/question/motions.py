"""The motion that a question asks for: "What enters from the left?", "Does a car turn around?".

The facts are computed from tracks of boxes (`index.indexing.merging.motion`); a question names one of them exactly.
"""

import re

from ..records import Plan, Subject
from .terms import terms_of

__all__ = ["with_motion"]

_GOES = r"(?:moves?|moved|moving|goes|going|go|walks?|walked|walking|runs?|running|drives?|driving|rides?|riding|heads?|passes|pass|flies|fly)"
_SIDE = r"(?:the )?(?P<side>left|right|top|bottom)(?: (?:side|edge))?(?: of the (?:picture|frame|screen|image))?"
_END = r"(?=\W*\Z)"
_FACTS = (
    (rf"\b(?:{_GOES} )?from (?:the )?left to (?:the )?right\b", "moves to the right"),
    (rf"\b(?:{_GOES} )?from (?:the )?right to (?:the )?left\b", "moves to the left"),
    (rf"\b(?:enters?|entered|entering|comes? in(?:to view| to the picture)?|arrives?|appears?) (?:in the picture )?(?:from|on|at) {_SIDE}", "enters from the {}"),
    (rf"\b(?:leaves?|leaving|exits?|exiting|disappears?|{_GOES} out) (?:the (?:picture|frame|screen) )?(?:to|at|on|through|towards?) {_SIDE}", "leaves at the {}"),
    (rf"\b{_GOES} (?:to|towards?) (?:the )?(?P<side>left|right)\b", "moves to the {}"),
    (rf"\b{_GOES} (?P<side>up|down)(?:wards)?{_END}", "moves {}"),
    (rf"\bturn(?:s|ed|ing)? (?:around|back|round){_END}", "turns around"),
    (rf"\b(?:approach(?:es|ed|ing)?|comes? (?:closer|nearer)|{_GOES} towards?)(?: the camera)?{_END}", "approaches"),
    (rf"\b{_GOES} away(?: from the camera)?{_END}", "moves away"),
    (rf"\b(?:{_GOES} (?:to|towards?|up to)|approach(?:es|ed|ing)?) (?:the|an?) (?P<other>\w[\w ]*){_END}", "moves towards the {}"),
)  # fmt: skip
_PATTERNS = [(re.compile(pattern, re.IGNORECASE), fact) for pattern, fact in _FACTS]
# Whoever moves: the detector's label is not asked for.
_ANYTHING = frozenset(
    "what who which something anything someone somebody anyone anybody thing things when where does did do how many often times time "
    "is are was were there the a an any show find me moment video".split()
)


def with_motion(plan: Plan) -> Plan:
    """Return the plan of a question about the motion of things in the picture; other plans are returned unchanged."""
    if plan.kind not in ("needle", "count") or plan.speaker or plan.phrases:
        return plan
    for pattern, fact in _PATTERNS:
        found = pattern.search(plan.question)
        if not found:
            continue
        where = "".join(part or "" for part in found.groupdict().values()).casefold()
        before = [
            word for word in re.findall(r"\w+", plan.question[: found.start()]) if word.casefold() not in _ANYTHING
        ]
        terms = terms_of(" ".join(before), ("object",))
        is_count = bool(re.search(r"\bhow (?:many|often)\b", plan.question, re.IGNORECASE))
        subject = Subject(query=" ".join(before), terms=terms, modalities=("object",))
        return plan.model_copy(
            update={
                "kind": "count" if is_count else "needle",
                "motion": fact.format(where),
                "subjects": (subject,),
                "terms": (),
                "place": None,
                "is_moment": False,
                "modalities": ("motion",),
            }
        )
    return plan
