"use strict";

// Longer than the pause between two letters, shorter than that between two words.
const PAUSE_MS = 150;
const START = "[START]";
const STRONGEST = 5;

// The same pieces as imdb_core/tokens.py; the `\s` of Python covers other characters than that of JavaScript.
const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const PUNCTUATION = "!\"#$%&()*+,\\-.\\/:;<=>?@\\[\\]\\\\^_`{|}~";
const PIECE = new RegExp(
  `(?<br><[${SPACE}]*(?:/[${SPACE}]*)?br(?:[${SPACE}/][^<>]*)?>)|(?<word>[^${SPACE}${PUNCTUATION}]+)`, "giu");
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
const SURROGATE = /[\ud800-\udfff]/gu;

const printable = (text) => text.replace(CONTROL, "\ufffd");
// Lower case has a final sigma, which the network does not distinguish; upper case has one sigma.
const folded = (word) => word.replaceAll("\0", "\ufffd").toLowerCase().toUpperCase();

// A review in pieces: {text, attention (null between words), strength (0 to 1), read}.
function shaded(text, tokens, attention) {
  const between = (text, read = true) => ({ text: printable(text), attention: null, strength: 0, read });
  const fromStart = tokens[0] === START;
  const greatest = Math.max(0, ...attention);
  const known = tokens.map((token, place) => ({
    text: printable(token),
    attention: attention[place],
    strength: greatest > 0 ? Math.min(Math.max(attention[place] / greatest, 0), 1) : 0,
    read: true,
  }));
  const pieces = fromStart ? [known.shift(), between(" ")] : [];
  const matches = [...text.matchAll(PIECE)];
  const words = matches.filter((match) => match.groups.word);
  let unread = fromStart ? 0 : Math.max(words.length - known.length, 0);
  const found = words.slice(unread).map((match) => folded(match[0])).join("\n");
  if (found !== tokens.slice(fromStart ? 1 : 0).map(folded).join("\n")) {
    return [...pieces, ...known.flatMap((word) => [word, between(" ")])];
  }
  let end = 0;
  for (const match of matches) {
    if (match.index > end) pieces.push(between(text.slice(end, match.index), unread === 0));
    end = match.index + match[0].length;
    if (match.groups.br) pieces.push(between("\n", unread === 0));
    else if (unread-- > 0) pieces.push(between(match[0], false));
    else {
      unread = 0;
      pieces.push({ ...known.shift(), text: printable(match[0]) });
    }
  }
  if (end < text.length) pieces.push(between(text.slice(end)));
  return joined(pieces);
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
    if (element("model").value) tell("");
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

function tell(problem) {
  element("problem").textContent = problem;
  element("problem").hidden = !problem;
}

function show(text, answer) {
  const [negative, positive] = answer.probabilities;
  const label = positive > negative ? "positive" : "negative";
  element("label").textContent = label;
  element("label").className = label;
  element("percent").textContent = `${(100 * Math.max(negative, positive)).toFixed(1)} %`;
  element("mark").style.setProperty("--at", `${100 * positive}%`);
  const length = answer.tokens ? answer.tokens.filter((token) => token !== "").length : 0;
  const pieces = answer.tokens
    ? shaded(text, answer.tokens.slice(0, length), answer.attention.slice(0, length))
    : [{ text: printable(text), attention: null, strength: 0, read: true }];
  element("review").replaceChildren(...pieces.map(marked));
  const strongest = pieces.filter((piece) => piece.attention > 0 && piece.text !== START);
  strongest.sort((one, other) => other.attention - one.attention);
  element("strongest").replaceChildren(...strongest.slice(0, STRONGEST).map(listed));
  element("notes").textContent = notes(pieces, answer, length);
  element("answer").hidden = false;
  element("answer").classList.remove("stale");
}

function notes(pieces, answer, length) {
  if (!answer.tokens) return "This model has no signature explain, so it cannot show which words it attends to.";
  const greatest = (100 * Math.max(0, ...answer.attention)).toFixed(1);
  const unread = pieces.some((piece) => !piece.read) ? ` The network reads the last ${length} words only.` : "";
  return `The strongest shade is ${greatest} % of the attention; point at a word for its share.${unread}`;
}

// Reviews are untrusted: they become text, never markup.
function marked(piece) {
  if (piece.read && piece.attention === null) return document.createTextNode(piece.text);
  const word = document.createElement(piece.read ? "span" : "s");
  word.textContent = piece.text;
  if (piece.read) {
    word.style.setProperty("--strength", piece.strength.toFixed(3));
    word.title = `${(100 * piece.attention).toFixed(2)} %`;
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
