"use strict";

// Longer than the pause between two letters, shorter than that between two words.
const PAUSE_MS = 150;
const START = "[START]";
const STRONGEST = 5;
const UNKNOWN = "not in the vocabulary";
// The kinds of `Prediction.notice` in serving/client/results.py, and what they mean.
const EMPTY = "empty";
const NO_KNOWN_WORD = "no known word";
const MEANINGS = {
  [EMPTY]: "The review has no word, so the model has no opinion on it. ",
  [NO_KNOWN_WORD]: "The model knows no word of the review, so it has no opinion on it. ",
};

// The same pieces as imdb_core/tokens.py; the `\s` of Python covers other characters than that of JavaScript.
const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const PUNCTUATION = "!\"#$%&()*+,\\-.\\/:;<=>?@\\[\\]\\\\^_`{|}~";
const PIECE = new RegExp(
  `(?<br><[${SPACE}]*(?:/[${SPACE}]*)?br(?:[${SPACE}/][^<>]*)?>)|(?<word>[^${SPACE}${PUNCTUATION}]+)`, "giu");
// The same tables as imdb_core/normalization.py.
const APOSTROPHES = [0x91, 0x92, 0xb4, 0x2bc, 0x2018, 0x2019, 0x201b, 0x2032, 0xff07];
const SPACES = [
  [0x82, 0x82], [0x84, 0x85], [0x8b, 0x8b], [0x93, 0x97], [0x9b, 0x9b], [0xa1, 0xa1], [0xab, 0xab], [0xb6, 0xb7],
  [0xbb, 0xbb], [0xbf, 0xbf], [0x2010, 0x2017], [0x201a, 0x201a], [0x201c, 0x201f], [0x2020, 0x2027],
  [0x2030, 0x2031], [0x2033, 0x205e], [0x2212, 0x2212], [0x2e00, 0x2e5d], [0x3001, 0x3003], [0x3008, 0x3011],
  [0x3014, 0x301f], [0x3030, 0x3030], [0xfe10, 0xfe19], [0xfe30, 0xfe6b],
];
const REMOVED = [
  [0xad, 0xad], [0x34f, 0x34f], [0x61c, 0x61c], [0x180b, 0x180e], [0x200b, 0x200f], [0x202a, 0x202e],
  [0x2060, 0x206f], [0xfe00, 0xfe0f], [0xfeff, 0xfeff], [0xe0001, 0xe007f], [0xe0100, 0xe01ef],
];
const FULL_WIDTH = [0xff01, 0xff5e, 0xfee0];
const COMPOSED = [0xc0, 0x1fff];
const ROUNDS = 3;

const REPLACEMENTS = new Map();
for (const [ranges, replacement] of [[SPACES, 0x20], [REMOVED, null], [[[0xfdd0, 0xfdef]], 0xfffd]]) {
  for (const [first, last] of ranges) for (let code = first; code <= last; code++) REPLACEMENTS.set(code, replacement);
}
for (let plane = 0; plane < 0x110000; plane += 0x10000) {
  for (const code of [0xfffe, 0xffff]) REPLACEMENTS.set(plane + code, 0xfffd);
}
for (let code = FULL_WIDTH[0]; code <= FULL_WIDTH[1]; code++) REPLACEMENTS.set(code, code - FULL_WIDTH[2]);
for (const code of APOSTROPHES) REPLACEMENTS.set(code, 0x27);

const COMPOSITIONS = new Map();
for (let code = COMPOSED[0]; code <= COMPOSED[1]; code++) {
  const whole = String.fromCharCode(code);
  const parts = whole.normalize("NFD");
  const before = parts.slice(0, -1).normalize("NFC");
  if (before.length === 1 && parts.normalize("NFC") === whole) COMPOSITIONS.set(before + parts.at(-1), whole);
}

// A text as it is; `starts` has the place of each code unit in the original text, and its length.
const unchanged = (text) => ({ text, starts: [...Array(text.length + 1).keys()] });

// A text in the spelling of networks that normalize reviews.
function normalized(text) {
  let found = [];
  let place = 0;
  for (const character of text) {
    const replacement = REPLACEMENTS.get(character.codePointAt(0));
    if (replacement === undefined) found.push([character, place]);
    else if (replacement !== null) found.push([String.fromCharCode(replacement), place]);
    place += character.length;
  }
  for (let round = 0; round < ROUNDS; round++) {
    const composed = [];
    found.forEach(([character, start], at) => {
      const whole = at ? COMPOSITIONS.get(found[at - 1][0] + character) : undefined;
      if (whole) composed.at(-1)[0] = whole;
      else composed.push([character, start]);
    });
    found = composed;
  }
  const starts = found.flatMap(([character, start]) => Array(character.length).fill(start));
  return { text: found.map(([character]) => character).join(""), starts: [...starts, text.length] };
}

const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
const SURROGATE = /[\ud800-\udfff]/gu;

const printable = (text) => text.replace(CONTROL, "\ufffd");
// Lower case has a final sigma, which the network does not distinguish; upper case has one sigma.
const folded = (word) => word.replaceAll("\0", "\ufffd").toLowerCase().toUpperCase();

// A review in pieces: {text, attention (null between words), strength (0 to 1), read, known (in the vocabulary)}.
function shaded(text, tokens, attention, vocabulary = null) {
  const between = (text, read = true) => ({ text: printable(text), attention: null, strength: 0, read, known: true });
  const fromStart = tokens[0] === START;
  const greatest = Math.max(0, ...attention);
  const known = tokens.map((token, place) => ({
    text: printable(token),
    attention: attention[place],
    strength: greatest > 0 ? Math.min(Math.max(attention[place] / greatest, 0), 1) : 0,
    read: true,
    known: vocabulary ? vocabulary[place] : true,
  }));
  const pieces = fromStart ? [known.shift(), between(" ")] : [];
  const wanted = tokens.slice(fromStart ? 1 : 0).map(folded).join("\n");
  // A model does not say whether it normalizes reviews.
  for (const cut of [unchanged(text), normalized(text)]) {
    const matches = [...cut.text.matchAll(PIECE)];
    const words = matches.filter((match) => match.groups.word);
    const unread = fromStart ? 0 : Math.max(words.length - known.length, 0);
    if (words.slice(unread).map((match) => folded(match[0])).join("\n") === wanted) {
      return joined([...pieces, ...laidOut(text, cut.starts, matches, unread, known, between)]);
    }
  }
  return [...pieces, ...known.flatMap((word) => [word, between(" ")])];
}

// The words that were found in the normalized text, laid over the original.
function laidOut(text, starts, matches, unread, known, between) {
  const pieces = [];
  let end = 0;
  for (const match of matches) {
    const start = starts[match.index];
    if (start > end) pieces.push(between(text.slice(end, start), unread === 0));
    end = starts[match.index + match[0].length];
    if (match.groups.br) pieces.push(between("\n", unread === 0));
    else if (unread > 0) {
      unread--;
      pieces.push(between(text.slice(start, end), false));
    } else pieces.push({ ...known.shift(), text: printable(text.slice(start, end)) });
  }
  if (end < text.length) pieces.push(between(text.slice(end)));
  return pieces;
}

// A long review has many pieces that the network does not read: neighbours become one.
function joined(pieces) {
  const together = [];
  for (const piece of pieces) {
    const last = together.at(-1);
    if (last && !last.read && !piece.read) last.text += piece.text;
    else together.push({ ...piece });
  }
  return together;
}

class Refusal extends Error {}

const element = (id) => document.getElementById(id);
// Model -> signature to call.
const signatures = new Map();
let asked = null;
let pause = 0;

async function asking(path, options) {
  let response;
  try {
    response = await fetch(`/v1/models/${path}`, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("The server does not answer. Start it again, then type on or choose the model again.");
  }
  const answer = await response.json().catch((error) => {
    if (error.name === "AbortError") throw error;
    return {};
  });
  if (response.ok) return answer;
  signatures.clear();
  throw new Refusal(sentence(response.status, String(answer.error ?? "")));
}

function sentence(status, said) {
  const tail = said ? ` The server says: ${said}` : "";
  if (status === 404 || status === 503) return `This model is not loaded: choose another, or reload the page.${tail}`;
  if (status === 413) return "This review is longer than the server takes.";
  if (status === 504) return "The server took too long: try again, or type a shorter review.";
  return `The server refused the question (status ${status}).${tail}`;
}

// Models without attention have no signature explain.
async function signatureOf(model, signal) {
  if (!signatures.has(model)) {
    const answer = await asking(`${model}/metadata`, { signal });
    const known = answer.metadata.signature_def.signature_def;
    signatures.set(model, ["explain", "serve_text"].find((name) => name in known));
  }
  return signatures.get(model);
}

async function explain(text, signal) {
  const model = element("model").value;
  const signature = await signatureOf(model, signal);
  if (!signature) throw new Refusal("This model does not read reviews: choose another.");
  const answer = await asking(`${model}:predict`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ signature_name: signature, instances: [text] }),
    signal,
  });
  return answer.predictions[0];
}

// A new question aborts the older one, whose answer is dropped if it arrives nevertheless.
async function ask() {
  clearTimeout(pause);
  asked?.abort();
  const text = element("text").value.replace(SURROGATE, "\ufffd");
  if (!text.trim() || !element("model").value) {
    element("answer").hidden = true;
    if (element("model").value) {
      tell("");
      await introduce();
    }
    return;
  }
  const question = (asked = new AbortController());
  element("answer").classList.add("stale");
  try {
    const answer = await explain(text, question.signal);
    if (question !== asked) return;
    show(text, answer);
    tell("");
  } catch (error) {
    if (question !== asked || error.name === "AbortError") return;
    if (!(error instanceof Refusal)) console.warn(error);
    tell(error instanceof Refusal ? error.message : "The answer of the server is invalid: is this a sentiment model?");
  }
}

// Whether the model learned from the sample is said before the first question; a problem is told with the first answer.
async function introduce() {
  const question = (asked = new AbortController());
  try {
    const answer = await explain("", question.signal);
    if (question === asked) showSample(answer);
  } catch (error) {
    if (!(error instanceof Refusal) && error.name !== "AbortError") console.warn(error);
  }
}

function showSample(answer) {
  element("sample").hidden = answer.trained_on !== "sample";
}

// How many of the words that the model reads it knows, and how many it does not; null if it does not say it.
function counted(answer, length) {
  if (answer.known_words !== undefined) return [answer.known_words, answer.unknown_words];
  if (!answer.known) return null;
  const words = answer.known.slice(answer.tokens[0] === START ? 1 : 0, length);
  const known = words.filter(Boolean).length;
  return [known, words.length - known];
}

function noticeOf(text, counts) {
  if (!counts) return [...text.matchAll(PIECE)].some((match) => match.groups.word) ? null : EMPTY;
  if (counts[0]) return null;
  return counts[1] ? NO_KNOWN_WORD : EMPTY;
}

function tell(problem) {
  element("problem").textContent = problem;
  element("problem").hidden = !problem;
}

function show(text, answer) {
  const [negative, positive] = answer.probabilities;
  const label = positive > negative ? "positive" : "negative";
  const length = answer.tokens ? answer.tokens.filter((token) => token !== "").length : 0;
  const counts = counted(answer, length);
  const notice = noticeOf(text, counts);
  showSample(answer);
  element("label").textContent = notice ?? label;
  element("label").className = notice ? "" : label;
  element("percent").textContent = notice ? "" : `${(100 * Math.max(negative, positive)).toFixed(1)} %`;
  element("mark").style.setProperty("--at", `${100 * positive}%`);
  element("scale").hidden = notice !== null;
  const pieces = answer.tokens
    ? shaded(text, answer.tokens.slice(0, length), answer.attention.slice(0, length), answer.known)
    : [{ text: printable(text), attention: null, strength: 0, read: true, known: true }];
  element("review").replaceChildren(...pieces.map(marked));
  const strongest = pieces.filter((piece) => piece.attention > 0 && piece.text !== START);
  strongest.sort((one, other) => other.attention - one.attention);
  element("strongest").replaceChildren(...strongest.slice(0, STRONGEST).map(listed));
  element("notes").textContent = (notice ? MEANINGS[notice] : "") + notes(pieces, answer, length, counts);
  element("answer").hidden = false;
  element("answer").classList.remove("stale");
}

function notes(pieces, answer, length, counts) {
  if (!answer.tokens) return "This model has no signature explain, so it cannot show which words it attends to.";
  const greatest = (100 * Math.max(0, ...answer.attention)).toFixed(1);
  const unread = pieces.some((piece) => !piece.read) ? ` The network reads the last ${length} words only.` : "";
  const unknown = counts?.[1] ? ` Underlined: ${UNKNOWN} (${counts[1]} of ${counts[0] + counts[1]} words).` : "";
  return `The strongest shade is ${greatest} % of the attention; point at a word for its share.${unread}${unknown}`;
}

// Reviews are untrusted: they become text, never markup.
function marked(piece) {
  if (piece.read && piece.attention === null) return document.createTextNode(piece.text);
  const word = document.createElement(piece.read ? "span" : "s");
  word.textContent = piece.text;
  if (piece.read) {
    word.style.setProperty("--strength", piece.strength.toFixed(3));
    word.title = `${(100 * piece.attention).toFixed(2)} %${piece.known ? "" : `, ${UNKNOWN}`}`;
    if (!piece.known) word.className = "unknown";
  }
  return word;
}

function listed(piece) {
  const item = document.createElement("li");
  const word = document.createElement("b");
  word.textContent = piece.text;
  item.append(word, ` ${(100 * piece.attention).toFixed(1)} %`);
  return item;
}

element("text").addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(ask, PAUSE_MS);
});
element("model").addEventListener("change", ask);
element("examples").addEventListener("click", (event) => {
  if (event.target.tagName !== "BUTTON") return;
  element("text").value = event.target.textContent;
  element("text").focus();
  ask();
});
if (!element("model").value) tell("No model is loaded: push one, then reload the page.");
// The browser may restore the text after a reload.
ask();
