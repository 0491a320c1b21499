"""Tokens: what a language model's answers took, and what they cost."""

from pydantic import Field

from bhiv.plan import Contract

_MILLION = 1_000_000


class Usage(Contract):
    """What a language model was asked and what that cost, all answers together."""

    model: str
    answers: int = Field(0, description="Answers that were received, useful or not.")
    prompt_tokens: int = 0
    completion_tokens: int = 0
    uncounted: int = Field(0, description="Answers that did not say their tokens.")
    cost: float | None = Field(None, description="In the currency of the prices. None: unknown.")

    def plus(
        self, prompt: int | None, completion: int | None, price_in: float | None, price_out: float | None
    ) -> "Usage":
        """Return this and one answer more, whose tokens may be unknown; prices are those of a million tokens."""
        known = prompt is not None and completion is not None
        total_in, total_out = self.prompt_tokens + (prompt or 0), self.completion_tokens + (completion or 0)
        uncounted = self.uncounted + (not known)
        cost = None
        if price_in is not None and price_out is not None and not uncounted:
            cost = round((total_in * price_in + total_out * price_out) / _MILLION, 8)
        return Usage(
            model=self.model,
            answers=self.answers + 1,
            prompt_tokens=total_in,
            completion_tokens=total_out,
            uncounted=uncounted,
            cost=cost,
        )
