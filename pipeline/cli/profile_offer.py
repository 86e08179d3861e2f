"""Chooses the profile to set up with the user: the named one, or one that suits the machine. Shows its models."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pipeline.base.project import CONFIG
from pipeline.cli.arguments import has_terminal, megabytes, say, table
from pipeline.cli.commands.model_fetch import needed_models
from pipeline.cli.commands.models import left_to_fetch
from pipeline.engine.planner import Planner
from pipeline.model_cache.manifest import Model, stated_bytes
from pipeline.plan.profile import AUTO, Profile, load_profiles

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Offer:
    """Profile as it is offered to the user. `size` is that of its models, `left` the part still to be fetched, both in
    bytes; `terms` are the pages on which to accept terms."""

    name: str
    profile: Profile
    size: int
    left: int
    licences: tuple[str, ...]
    terms: tuple[str, ...]


def choose_profile_with_user(planner: Planner) -> Offer | None:
    """Return the profile to set up: the one of the flag or the setting, else the best that suits the machine. At a
    terminal the user may choose a smaller one, or none. Prints the choice, its reason and its models."""
    profiles = load_profiles(CONFIG / "profiles")
    suited = [name for name, profile in profiles.items() if profile.suits.accepts(planner.hardware)]
    if planner.settings.profile != AUTO:
        named = planner.profile
        chosen = _offer(named.name, named.profile, planner)
        tell(_described([chosen]))
        why = "you named it"
        if chosen.name not in suited:
            why += f"; it is meant for {chosen.profile.suits}"
        tell(f"profile {chosen.name}, because {why}")
        return chosen
    best, *others = [_offer(name, profiles[name], planner) for name in suited]
    smaller = next((offer for offer in others if offer.size < best.size), None)
    offers = [best] if smaller is None else [best, smaller]
    tell(_described(offers))
    why = f"profile {best.name}, because it suits {best.profile.suits}"
    tell(why if smaller is None else f"{why}; `--profile {smaller.name}` is smaller")
    if smaller is None or not has_terminal():
        return best
    question = f"Set up {best.name} (1), the smaller {smaller.name} (2), or nothing (n)? [1] "
    return _ask(question, {"1": best, "2": smaller, "": best})


def wants_models(chosen: Offer, *, fetch: bool, skip: bool) -> bool | None:
    """Return whether to fetch the models too, by the flags or by an answer; None if the user answers something else."""
    if fetch or skip or not chosen.left:
        return not skip
    if not has_terminal():
        say("no model is fetched, because there is no terminal to ask on; `--cache-models` fetches them")
        return False
    return _ask(
        f"Fetch its models too, {megabytes(chosen.left)}? [Y/n] ",
        {"y": True, "yes": True, "": True, "n": False, "no": False},
    )  # fmt: skip


def _ask(question: str, answers: Mapping[str, Answer]) -> Answer | None:
    """Ask the user, and return the value of the answer; None for any other answer, and at the end of the input."""
    print(question, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    return answers.get(line.strip().lower()) if line else None


def _offer(name: str, profile: Profile, planner: Planner) -> Offer:
    cache = planner.models
    models = needed_models(planner, profile)
    missing = [model for model in models if cache.problem(model)]
    return Offer(
        name,
        profile,
        sum(stated_bytes(cache.models[model], cache.locked[model]) for model in models),
        sum(left_to_fetch(model, cache) for model in missing),
        tuple(sorted({_licence(cache.models[model]) for model in models})),
        tuple(f"{cache.hub}/{cache.locked[model].repo}" for model in missing if cache.models[model].gated),
    )


def _licence(model: Model) -> str:
    return f"{model.licence} ({model.restriction})" if model.restriction else model.licence


def _described(offers: Sequence[Offer]) -> str:
    """Return the offers as a table, with the pages of terms below it."""
    rows = [
        (offer.name, megabytes(offer.size), megabytes(offer.left), ", ".join(offer.licences)) for offer in offers
    ]  # fmt: skip
    terms = [f"  {offer.name}: accept the terms at {page}" for offer in offers for page in offer.terms]
    return "\n".join([table(rows, ("PROFILE", "MODELS", "TO FETCH", "LICENCES")), *terms])


def tell(text: str) -> None:
    """Print to the user on stderr; the result of the command goes to stdout."""
    print(text, file=sys.stderr, flush=True)
