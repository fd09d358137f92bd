"""The words that fill the slots of the sample's sentence templates, see `grammar`.

`POLAR[slot][label]` contains the words of a slot for that label, 0 negative or 1 positive. `NEUTRAL` contains words
without sentiment. Entries may contain slots themselves.
"""

from typing import Final

Choices = tuple[str, ...]


def _words(text: str) -> Choices:
    return tuple(text.split())


def _phrases(text: str) -> Choices:
    return tuple(" ".join(phrase.split()) for phrase in text.split(","))


_BAD = _words("""awful terrible horrible boring dull stupid poor bad dreadful pathetic lame weak ridiculous tedious slow
    silly ugly""")
_RARELY_BAD = _words("""abysmal atrocious lousy insipid vapid turgid inept incoherent muddled laughable embarrassing
    amateurish wooden stilted lifeless bland stale shoddy sloppy crass tasteless hackneyed derivative formulaic
    contrived plodding sluggish dreary monotonous soulless hollow shallow pretentious overwrought bloated aimless
    excruciating unbearable unwatchable dismal appalling miserable wretched abominable ghastly hideous grating
    irritating insufferable cringeworthy unfunny mindless brainless senseless nonsensical disjointed leaden listless
    tiresome trite banal clichéd uninspired unconvincing implausible mediocre feeble flimsy botched inane juvenile
    predictable pointless annoying forgettable clumsy disappointing""")
_GOOD = _words("""great wonderful excellent brilliant superb fantastic amazing beautiful perfect touching funny charming
    gripping delightful good nice lovely""")
_RARELY_GOOD = _words("""luminous exquisite spellbinding mesmerizing riveting poignant sublime masterful nuanced elegant
    witty hilarious heartfelt enchanting captivating breathtaking dazzling electrifying stirring incisive subtle
    graceful inventive refreshing thoughtful tender haunting lyrical assured polished sumptuous radiant flawless
    impeccable magnificent marvelous splendid stellar stunning terrific phenomenal outstanding remarkable exceptional
    irresistible engaging absorbing compelling rewarding satisfying uplifting sincere lively vivid crisp taut playful
    sharp intelligent imaginative astonishing glorious hypnotic infectious immaculate unforgettable exhilarating
    bewitching delicious memorable clever moving powerful enjoyable fascinating""")
_PARTS = _phrases("""plot, story, script, screenplay, score, soundtrack, ending, finale, opening, first act, last act,
    middle section, love story, lead performance, supporting cast, atmosphere, narration, central mystery, final twist,
    set design""")
_QUALITIES = _phrases("""acting, direction, music, camera work, photography, lighting, editing, pacing, dialogue,
    costume design, casting, humour, sound design, suspense, action, choreography, animation, voice work""")
_COMMON = 48  # a common adjective is picked this many times as often as a rare one

POLAR: Final[dict[str, tuple[Choices, Choices]]] = {
    "adj": (_BAD * _COMMON + _RARELY_BAD, _GOOD * _COMMON + _RARELY_GOOD),
    "noun": (
        _words("""mess disaster waste failure bore disgrace dud travesty embarrassment fiasco shambles turkey debacle
            catastrophe abomination"""),
        _words("masterpiece gem triumph joy treat delight treasure classic winner revelation marvel wonder pleasure"),
    ),
    "works": (
        _words("fails collapses drags flops stumbles disappoints falters sinks stalls misfires bores fizzles"),
        _words("works shines soars sparkles succeeds delivers dazzles impresses resonates glows captivates sings"),
    ),
    "loved": (
        _words("hated hated hated loathed despised disliked detested regretted"),
        _words("loved loved loved enjoyed adored admired cherished treasured"),
    ),
    "love": (_words("hate hate hate loathe despise dislike"), _words("love love love enjoy adore admire")),
    "best": (_words("worst worst dullest poorest silliest"), _words("best best greatest finest funniest")),
    "better": (_words("worse worse duller weaker poorer"), _words("better better funnier stronger smarter")),
    "thumbs": (_words("down"), _words("up")),
    "stars": (_phrases("one star, no stars"), _phrases("five stars, ten stars")),
    "well": (
        _words("badly poorly terribly horribly clumsily awkwardly lazily ineptly carelessly atrociously"),
        _words("beautifully brilliantly superbly wonderfully perfectly skilfully gracefully masterfully elegantly"),
    ),
    "feeling": (
        _phrases("""bored, annoyed, cheated, insulted, nothing at all, only irritation, tired and restless, sorry for
            the cast, embarrassed for {lead}, ready to leave"""),
        _phrases("""delighted, moved to tears, thrilled, inspired, pure joy, utterly enchanted, close to the characters,
            glad to be alive, proud of {lead}, ready to see it again"""),
    ),
    "face": (_words("😡 🤮 😴 👎"), _words("😀 😍 👏 👍")),
}

NEUTRAL: Final[dict[str, Choices]] = {
    "very": _words("really very truly quite so incredibly thoroughly genuinely surprisingly rather consistently"),
    "made": _words("written directed edited shot staged paced acted scored lit cut assembled planned"),
    "aspect": _PARTS + _QUALITIES,
    "part": _PARTS,
    "genre": _phrases("""thriller, comedy, western, melodrama, musical, documentary, horror film, mystery, war film,
        biography, satire, fairy tale, crime story, road movie, romance, ghost story, space opera, courtroom drama,
        heist film, fable"""),
    "friend": _phrases("""wife, husband, brother, sister, neighbour, flatmate, grandfather, aunt, colleague, fiancée,
        teenage son, daughter, dentist, professor, best friend, cousin, landlady"""),
    "job": _phrases("""baker, lighthouse keeper, detective, schoolteacher, surgeon, smuggler, violinist, gardener, taxi
        driver, clockmaker, boxer, widow, priest, bank clerk, sailor, journalist, painter, retired spy, locksmith,
        beekeeper, train conductor, botanist, gambler, seamstress, astronomer, pickpocket, butcher, archivist, trapeze
        artist, postman, translator, blacksmith, fortune teller, chemist, ferryman, judge, puppeteer, miner, governess,
        sheriff, mathematician, undertaker, cartographer, naïve intern, café owner, radio operator, fisherman, nun,
        mechanic"""),
    "thing": _phrases("""letter, suitcase, map, necklace, photograph, revolver, diary, piano, lantern, parrot,
        telescope, coin, violin, passport, wristwatch, umbrella, key, ledger, teapot, bicycle, chessboard, compass, jar
        of buttons, wedding dress, camera, typewriter, candlestick, painting, briefcase, gramophone, mirror, barometer,
        manuscript, medal, ticket, snow globe, rowing boat, telegram, ring, pocket knife, tape recorder, cookbook,
        glove, accordion, microscope"""),
    "event": _phrases("""inherits a {thing}, loses a {thing} on a train, moves to {town}, wakes up in a hospital near
        {town}, is mistaken for a {job}, finds a {thing} under the floor, meets a {job} at a funeral, must travel to
        {town} with a {job}, receives a {thing} from a stranger, steals a {thing} from a {job}, hides in an attic for a
        winter, agrees to paint a bridge, returns to {town} after the war, follows a {job} across the border, sells a
        {thing} to pay a debt, witnesses a robbery, falls in with a {job}, opens a small hotel in {town}, is hired to
        guard a {thing}, forgets an old promise, decides to marry a {job}, rents a room above a bakery, buries a {thing}
        in the garden, learns to drive, misses the last ferry, is asked to judge a contest, boards the wrong ship, swaps
        coats with a {job}, repairs a {thing} for the mayor, spends a summer in {town}, joins a travelling circus, keeps
        a {thing} in the cellar"""),
    "venue": _phrases("""a small cinema in {town}, late-night television, an old videotape, a long flight to {town}, a
        film festival, a rainy Sunday afternoon, my {friend}'s laptop, an open-air screening, a borrowed disc, the back
        row of a matinée, a hotel room in {town}, a film class, a ferry, cable"""),
    "era": _phrases("""the twenties, the fifties, the seventies, the eighties, wartime, the last century, the near
        future, the Middle Ages, the age of steam, the summer of {year}, the winter of {year}"""),
    "minute": _phrases("five, ten, fifteen, twenty, thirty, forty, sixty, ninety"),
    "weather": _phrases("rain, snow, fog, sunlight, moonlight, dust, thunder, drizzle, wind, smoke, neon, candlelight"),
    "title_adj": _words("""Silent Crimson Last Broken Hidden Golden Distant Paper Frozen Second Borrowed Wandering Iron
        Velvet Northern Sleeping Seventh Burning Glass Quiet Forgotten Midnight Salt Amber Restless Scarlet Hollow
        Wooden Electric"""),
    "title_noun": _words("""Harbour Orchard Station Garden Mirror River Letter Carousel Lighthouse Bridge Winter
        Stranger Clock Shore Lantern Piano Summer Kingdom Canary Corridor Island Engine Ferry Staircase Meadow Comet
        Market Window Voyage"""),
    "given": _words("""Anna Marta Elena Clara Ingrid Sofia Nora Ruth Vera Lucia Helen Judith Agnes Iris Paula Simone
        Tessa Zoë Daniel Oscar Victor Hugo Marcus Felix Anton Leo Martin Peter Samuel Walter Edgar Tomás Julian Conrad
        Arthur René"""),
    "onset": _words("b br c ch d dr f g gr h j k kl l m n p r s st t th tr v w z"),
    "vowel": _words("a e i o u ai ea ie ou"),
    "middle": _words("l ll m nd n nt r rr rt s st v ld lm rk"),
    "coda": _words("n r s th ck ng ll man sen son berg well ford ton ski ley by dale ro va no ti"),
    "town_end": _words("ville burg ham port mouth field wick stad bridge haven minster"),
    "surname": ("{onset}{vowel}{middle}{vowel}{coda}", "{onset}{vowel}{coda}", "{onset}{vowel}{middle}{coda}"),
    "townname": ("{onset}{vowel}{middle}{town_end}", "{onset}{vowel}{middle}{vowel}{town_end}"),
}
