// The desk works without this. It keeps forms from being sent twice, counts what a note still holds, and knows keys.
"use strict";

for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", () => {
    for (const button of form.querySelectorAll("button[type=submit]")) {
      button.disabled = true;
      button.setAttribute("aria-busy", "true");
    }
  });
}

// Back from the next page, a form may be sent again.
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button[aria-busy]")) {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
});

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

// Whoever writes a long note is at work: the session must not end, and the note with it, for want of other requests.
let knownAt = Date.now();
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
