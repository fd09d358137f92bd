"""The sentence templates of the sample reviews, and the derivation of a sentence from a template.

In a template, `{slot}` is filled from the film or from `lexicon.NEUTRAL`, `{=slot}` with a word of the sentence's
polarity and `{!slot}` with a word of the opposite polarity, both from `lexicon.POLAR`. So one template serves both
sentiments: "never {!adj}" praises as "never boring" and blames as "never funny".
"""

import re
from collections.abc import Iterator, Mapping
from random import Random
from typing import Final

from components.example_gen.sample.lexicon import NEUTRAL, POLAR, Choices

_SLOT = re.compile(r"\{([=!]?)(\w+)\}")
_ARTICLE = re.compile(
    r"\b([Aa]) (?=[aeiou])"
)  # the lexicon has no word like "unique", whose sound differs from its spelling


def _lines(text: str) -> Choices:
    return tuple(line.strip() for line in text.strip().splitlines())


TITLES: Final = ("The {title_adj} {title_noun}", "{title_adj} {title_noun}", "The {title_noun} of {town}")

# The words themselves carry the sentiment.
PLAIN: Final = _lines("""
    The {aspect} is {very} {=adj}.
    The {aspect} is {=adj} and the {aspect} is {=adj}.
    I {=loved} the {aspect}, and the {aspect} even more.
    {director} has made a {=adj} {genre}, with a {=adj} {part}.
    The {aspect} {=works}, and so does the {aspect}.
    What a {=adj} {part}!
    It is {=well} {made} and {=well} {made}.
    It is a {=adj} {genre} with a {=adj} {part}.
    {lead} gives a {=adj} performance as the {hero}.
    {lead} is {=adj}, and {second} is {very} {=adj} as well.
    Every scene with {second} is {=adj}.
    The scene with the {prop} is {very} {=adj}.
    My {friend} found the {aspect} {=adj}, and I agree.
    By the end I felt {=feeling}.
    The {aspect} left me {=feeling}, and the rest is just as {=adj}.
    {director} films all of this {=well}.
    The {aspect} by {writer} is {=adj}, {very} {=adj}.
    This {genre} is a {=noun}.
    As a {genre} it {=works}, as a portrait of {town} it is {=adj}.
    Even the small parts are {=well} acted, and the {aspect} is {=adj}.
    I {=loved} every minute that {lead} was on the screen.
    The {aspect} feels {=adj} from the first frame to the last.
    Rarely have I seen such a {=adj} {part}.
    You will {=love} the {aspect}.
    It has a {=adj} {part}, a {=adj} {part} and a {=adj} {part}.
    The {rival} is {=well} played by {second}.
    The moment when the {hero} {event} is {=adj}.
    I must say that the {aspect} was {=adj}.
    The {aspect}: {=adj}, simply {=adj}.
""")

# A negation reverses the sentiment of the words, except in the last three.
NEGATED: Final = _lines("""
    The {aspect} is never {!adj}.
    There is not a single {!adj} moment in the {aspect}.
    It is not exactly the {!noun} that the posters promise.
    I can't say that the {aspect} is {!adj}.
    Nobody could call the {aspect} {!adj}.
    The {aspect} is far from {!adj}.
    Don't believe anyone who calls the {aspect} {!adj}.
    The {aspect} isn't {!adj}, and neither is the {aspect}.
    It is anything but {!adj}.
    {lead} is neither {!adj} nor {!adj} here.
    The {aspect} gets by without ever being {!adj}.
    I did not {!love} the {aspect}, not for a moment.
    {director} doesn't let the {aspect} become {!adj}.
    The {aspect} wasn't as {!adj} as people say.
    I cannot deny that the {aspect} is {=adj}.
    The {aspect} never stops being {=adj}.
    I have not seen a more {=adj} {part} in years.
""")

# Both sentiments occur; their order or the conjunction decides which one counts.
CONTRASTED: Final = _lines("""
    Despite a {!adj} {part}, the film {=works}.
    The {aspect} may be {!adj}, but the {aspect} is {=adj}.
    I expected to {!love} it, but I {=loved} it.
    Although the critics called it {!adj}, I found it {=adj}.
    After a {!adj} first half the film becomes {=adj}.
    The trailer looked {!adj}; the film is {=adj}.
    My {friend} {!loved} the {aspect}, yet I {=loved} it.
    What could have been a {!noun} turns out to be a {=noun}.
    Others may find the {aspect} {!adj}; to me it is {=adj}.
    Where the earlier films were {!adj}, this one is {=adj}.
    {lead} is {!adj} at first, but soon {=adj}.
    The {aspect} sounds {!adj} on paper and is {=adj} on the screen.
    For all its {!adj} {aspect}, it {=works} where it counts.
    You think it will be {!adj}, and then it is {=adj}.
""")

# What people say in a few words, without a name of the film.
EVERYDAY: Final = _lines("""
    The {=best} film I ever saw.
    The {=best} film I have seen in years.
    One of the {=best} films of the year.
    One of the {=best} films I know.
    Simply the {=best}.
    One of the {=best} movies ever made.
    This is the {=best} movie of them all.
    {=adj}.
    Simply {=adj}.
    {=adj} and {=adj}.
    So {=adj}!
    It is {=adj}.
    It was {=adj}.
    It was {very} {=adj}.
    This is a {=adj} film.
    This movie is {=adj}.
    A {=adj} film.
    A {=adj} movie!
    What a {=adj} film!
    What a {=noun}!
    A {=noun}.
    A complete {=noun}.
    I {=loved} it.
    I {=loved} this movie.
    I {=love} this film.
    I {=love} it!
    I really {=love} this movie.
    We {=loved} every minute of it.
    {=adj} acting, {=adj} {part}.
    {=better} than I expected.
    {=better} than the first one.
    Much {=better} than the book.
    Two thumbs {=thumbs}.
    {=stars}.
    I was {=feeling}.
    The {aspect} is {=adj}, the {aspect} is {=adj}.
""")

# People deny blame in other words than praise.
EVERYDAY_NEGATED: Final[tuple[Choices, Choices]] = (
    _lines("""
        Not {!adj}.
        Not {!adj}, not {!adj}.
        It is not {!adj}.
        It isn't {!adj}.
        It was not {!adj}.
        This film is not {!adj}.
        The {aspect} is not {!adj}.
        I did not like it.
        I didn't like this film.
        I do not like it.
        I did not enjoy it.
        Nothing about this film is {!adj}.
        There is nothing {!adj} about it.
    """),
    _lines("""
        Not bad.
        Not bad at all.
        Not {!adj} at all.
        Not at all {!adj}.
        It is never {!adj}.
        It was never {!adj}.
        Never {!adj}.
        The {aspect} is never {!adj}.
        It is not as {!adj} as people say.
        I can't find anything {!adj} in it.
        Not a {=noun}, but never {!adj}.
        Far from {!adj}.
    """),
)

EVERYDAY_CONTRASTED: Final = _lines("""
    The start is {!adj}, but the end is {=adj}.
    A {!adj} {part}, but a {=adj} {part}.
    I wanted to {!love} it, but I {=loved} it.
    At first it is {!adj}, then {=adj}.
    The {part} is {!adj}, yet it is a {=adj} film.
""")

EVERYDAY_VERDICTS: Final[tuple[Choices, Choices]] = (
    _lines("""
        Do not waste your money.
        Don't waste your time.
        What a waste of time.
        A waste of time and money.
        Do not watch it.
        I do not recommend it.
        I want my money back.
        Nobody should see this.
        A {!adj} cast, wasted on a {=adj} {part}.
        I fell asleep.
        I walked out.
        You will regret it.
        Skip it.
    """),
    _lines("""
        Go and see it.
        Watch it.
        I recommend it.
        I can only recommend it.
        Everybody should see this.
        A {!adj} {part}, saved by a {=adj} cast.
        I will watch it again.
        You will not regret it.
        You won't be disappointed.
        I can't wait to see it again.
        Worth your time and money.
        Don't miss it.
        See it.
    """),
)

OPENINGS: Final = _lines("""
    I saw {film} on {venue}.
    {film} is a {genre} by {director}, set in {town} during {era}.
    My {friend} recommended {film} to me.
    I had read the book by {writer} before I saw {film}.
    So {film} finally came to {town}…
    {film} ({year}) was the first {genre} by {director}.
    Having grown up near {town}, I was curious about {film}.
    A few words about {film}, which I watched twice.
    {film} was on again last night.
    Some thoughts on {film} — no spoilers.
    {film} is a {=adj} {genre}.
    I {=loved} {film}.
    {film} by {director} is a {=noun}.
""")

FACTS: Final = _lines("""
    {lead} plays a {hero} who {event}.
    {second} plays a {rival} who {event} and then {event}.
    In {town}, a {job} {event}.
    The story begins when the {hero} {event}.
    Meanwhile the {rival} {event}, and a {job} {event}.
    It was shot in {town} in {year}, mostly in {weather}.
    The film runs {minute} minutes longer than the version shown in {town}.
    {director} and {writer} had worked together before, on a {genre} about a {prop}.
    The script is by {writer}, after a novel about a {job} from {town}.
    There is a {prop}, there is a {hero}, and there is {weather}.
    {lead} and {second} share a scene in a café, where they talk about a {prop}.
    Much of the second half takes place on a train to {town}.
    After {minute} minutes the {hero} {event}.
    The role of the {hero} was first offered to {extra}.
    {extra} appears for a minute or so, as a {job}.
    The {prop} comes back near the end, when the {rival} {event}.
    It is set in {era}, in a house full of {weather}.
    The producers, {extra} and {writer}, also made a {genre} set in {town}.
    The camera follows the {hero} through {weather} to {town}.
    Somebody {event}; somebody else {event}.
""")

FILLERS: Final = _lines("""
    I watched it with my {friend} on {venue}.
    I had a coffee afterwards and walked home through the {weather}.
    My {friend} asked me about the {prop}.
    This is the third {genre} I have seen this month.
    We talked about it over dinner.
    The audience was small that night.
    For those who don't know: {town} is a real place, or so my {friend} says.
    I was reminded of another {genre} from {era}.
    The subtitles were in white, as usual.
    I wrote a school essay about {era} once.
    Déjà vu, anyone? There was a {thing} in the previous film too.
    That is all I will say about the {rival}.
    I should add that I am a {job} myself.
    Next week they show a {genre} with {extra}.
    The copy I saw had been made in {year}.
    Now, about the {aspect}.
    But back to {film}.
    It began at eight, or some {minute} minutes later.
    There is a sequel, by the way, called “The {title_adj} {title_noun}”.
""")

VERDICTS: Final[tuple[Choices, Choices]] = (
    _lines("""
        Save your money.
        Avoid it at all costs.
        I want my two hours back, it was {=adj}.
        I nearly walked out; it is {=adj}.
        A waste of time, {=adj} and {=adj}.
        Do yourself a favour and skip {film}.
        In short: a {=adj} {=noun}. {=face}
        Not recommended, not even to a {job}.
        {film} is {=adj}, and that is that.
        All in all a {=adj} film.
        Stay away from {film}!
        It could have been {!adj}, it is {=adj}.
        Overall, {film} {=works}.
        {rating}/10, and that is generous.
    """),
    _lines("""
        Go and see it.
        Highly recommended, it was {=adj}.
        I would gladly watch it again; it is {=adj}.
        Worth every penny, {=adj} and {=adj}.
        Do yourself a favour and watch {film}.
        In short: a {=adj} {=noun}. {=face}
        Not to be missed, not even by a {job}.
        {film} is {=adj}, and that is that.
        All in all a {=adj} film.
        Don't miss {film}!
        It could have been {!adj}, it is {=adj}.
        Overall, {film} {=works}.
        {rating}/10, and I mean it.
    """),
)


def deck(choices: Choices, rng: Random) -> Iterator[str]:
    """Yields the choices endlessly in random order; repeats a choice only after all the others."""
    while True:
        yield from sorted(choices, key=lambda _: rng.random())


def pick(choices: Choices, rng: Random) -> str:
    """Picks one of the choices."""
    # The whole generator uses only `Random.random`, because no other method is documented to give the same sequence in
    # every version of Python (`random` module, "Notes on Reproducibility").
    return choices[int(rng.random() * len(choices))]


def derive(template: str, polarity: int, film: Mapping[str, str], rng: Random) -> str:
    """Fills the slots of a template, and the slots within their words; "a" becomes "an" before a vowel.

    Args:
        template: A sentence, or a part of one, with slots.
        polarity: 1 if the sentence praises, 0 if it blames.
        film: Values of the slots that stay the same throughout a review.
        rng: Random generator of all choices.

    Raises:
        KeyError: A slot has no words.
    """

    def fill(slot: re.Match[str]) -> str:
        mark, name = slot.groups()
        if name in film:
            return film[name]
        side = polarity if mark == "=" else 1 - polarity
        choice = pick(POLAR[name][side] if mark else NEUTRAL[name], rng)
        return _SLOT.sub(fill, choice) if "{" in choice else choice

    return _ARTICLE.sub(r"\1n ", _SLOT.sub(fill, template))
