// The desk works without this. It keeps forms from being sent twice, counts what a note still holds, and knows keys.
"use strict";

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-once]")) return;
  for (const button of event.target.querySelectorAll("button[type=submit]")) {
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
  }
});

// Back from the next page, a form may be sent again.
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button[aria-busy]")) {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
});

function countNotes() {
  for (const note of document.querySelectorAll("textarea[data-count]")) {
    const left = document.createElement("span");
    left.className = "left";
    left.setAttribute("aria-live", "polite");
    note.after(left);
    const count = () => {
      const rest = note.maxLength - note.value.length;
      left.textContent = rest < 500 ? `${rest} characters left` : "";
    };
    note.addEventListener("input", count);
    note.addEventListener("input", stayKnown);
    count();
  }
}
countNotes();

// A picture that is larger than its window opens at its middle, where those are whom the case is about.
for (const picture of document.querySelectorAll("svg.network")) {
  const view = picture.closest(".scroll");
  view.scrollLeft = (view.scrollWidth - view.clientWidth) / 2;
  view.scrollTop = (view.scrollHeight - view.clientHeight) / 2;
}

// Forty that are alike are ticked at once, and each can still be left out.
for (const list of document.querySelectorAll("ul.alike")) {
  const boxes = () => [...list.querySelectorAll("input[type=checkbox]")];
  if (boxes().length < 2) continue;
  const all = document.createElement("button");
  all.type = "button";
  all.textContent = `Tick all ${boxes().length}`;
  all.addEventListener("click", () => boxes().forEach((box) => (box.checked = true)));
  list.before(all);
}

// Whoever writes a long note is at work: the session must not end, and the note with it, for want of other requests.
let knownAt = 0;
function stayKnown() {
  if (Date.now() - knownAt < 60_000) return;
  knownAt = Date.now();
  fetch("/desk/api/session").catch(() => {});
}

// Keys lead to what bears them in data-key. Nobody who writes, or holds another key down, means any.
const help = document.getElementById("help");
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest("input:not([type=radio], [type=checkbox]), textarea, select, dialog[open]")) return;
  if (event.key === "?") {
    help?.showModal();
    event.preventDefault();
    return;
  }
  const found = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!found) return;
  event.preventDefault();
  if (found.matches("input, textarea")) found.focus();
  else if (found.matches("fieldset")) found.querySelector("input:not(:disabled)")?.focus();
  else found.click();
});

// What others do is shown as it happens in a queue, unless somebody is in the midst of something: then only that there
// is news. On a case it is only told: what is decided there rests on the version that somebody has seen.
const PULSE_SECONDS = 10;
const main = document.getElementById("content");
const news = document.getElementById("live");
let pulse = null;

function ask(address) {
  return fetch(address, { headers: { "X-Live": "1" }, redirect: "error" });
}

// This page, without what was done when it was led to.
function address() {
  const found = new URL(location.href);
  found.searchParams.delete("done");
  return found.href;
}

function isAtWork() {
  if (document.querySelector("dialog[open]") || main.querySelector("details[open] form")) return true;
  if (main.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) return true;
  return [...main.querySelectorAll("input, textarea, select")].some((field) => {
    if (field.type === "hidden") return false;
    if (field.matches("select")) return [...field.options].some((option) => option.selected !== option.defaultSelected && option.defaultSelected);
    return field.matches("[type=radio], [type=checkbox]") ? field.checked !== field.defaultChecked : field.value !== field.defaultValue;
  });
}

async function showNews() {
  const answer = await ask(address());
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("content");
  if (!fresh || isAtWork()) return tellOfNews();
  main.replaceChildren(...fresh.childNodes);
  countNotes();
  news.hidden = true;
}

function tell(words, linkWords) {
  if (!news.hidden && news.firstChild?.textContent === words) return null;
  const link = document.createElement("a");
  link.href = address();
  link.textContent = linkWords;
  news.replaceChildren(words, link);
  news.hidden = false;
  return link;
}

function tellOfNews() {
  tell("Something has changed here meanwhile. ", "Show what is new");
}

// Elsewhere, so that what is written here can still be copied.
function tellOfEnd() {
  const link = tell("Your session has ended. Copy what you have written before you leave this page. ", "Sign in again");
  if (link) link.target = "_blank";
}

async function look() {
  if (document.hidden) return;
  const answer = await ask(main.dataset.pulse);
  if (answer.status === 401) return isAtWork() ? tellOfEnd() : location.reload();
  if (!answer.ok) return;
  const found = (await answer.json()).pulse;
  const isNew = pulse !== null && found !== pulse;
  pulse = found;
  if (isNew) await ("follows" in main.dataset && !isAtWork() ? showNews() : tellOfNews());
}

if (main?.dataset.pulse && news) {
  const lookAgain = () => look().catch(() => {});
  lookAgain();
  setInterval(lookAgain, PULSE_SECONDS * 1000);
}
