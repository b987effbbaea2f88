// What somebody would have to put up with on the page as it stands: said as sentences, none of them twice.
() => {
  const found = new Set();
  const said = (element) => {
    const name = element.id ? `#${element.id}` : `.${[...element.classList].join(".")}`;
    return `<${element.tagName.toLowerCase()}${name.length > 1 ? name : ""}> “${(element.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40)}”`;
  };
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  // Only for who cannot see the page: there is nothing to look at.
  const isForReadersAlone = (element) => !!element.closest(".hidden, .skip, thead") && element.getBoundingClientRect().right < 2
    || !!element.closest(".hidden, .skip");
  const width = document.documentElement.clientWidth;

  // Wider than the screen, or than what holds it.
  if (document.documentElement.scrollWidth > width) found.add(`the page is ${document.documentElement.scrollWidth} wide`);
  for (const element of document.querySelectorAll("body *")) {
    if (!isShown(element) || isForReadersAlone(element) || element.closest("svg")) continue;
    const box = element.getBoundingClientRect();
    if (!element.closest(".scroll") && box.width && (box.right > width + 1 || box.left < -1)) {
      found.add(`${said(element)} sticks out of the screen`);
    }
    const style = getComputedStyle(element);
    const isCut = element.scrollWidth > element.clientWidth + 1 && ["hidden", "clip"].includes(style.overflowX);
    if (isCut && element.clientWidth > 1 && !element.matches("input, textarea")) found.add(`${said(element)} is cut off`);
  }

  // Too small for a finger (WCAG 2.2, 2.5.8: 24 pixels, but for links within a sentence), or without a name.
  const nameOf = (element) => element.getAttribute("aria-label") || element.getAttribute("title")
    || [...(element.labels || [])].map((label) => label.textContent).join(" ")
    || (element.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.textContent || "").join(" ")
    || (element.matches("a, button, summary") ? element.textContent + [...element.querySelectorAll("img")].map((image) => image.alt).join("") : "");
  for (const element of document.querySelectorAll("a[href], button, summary, input:not([type=hidden]), select, textarea")) {
    if (!isShown(element) || isForReadersAlone(element)) continue;
    if (!nameOf(element).trim()) found.add(`${said(element)} has no name`);
    const target = element.matches("[type=checkbox], [type=radio]") ? element.labels[0] || element : element;
    const box = target.getBoundingClientRect();
    const isInText = getComputedStyle(element).display === "inline" && element.matches("a");
    if (!element.closest("svg") && !isInText && (box.height < 24 || box.width < 24)) {
      found.add(`${said(element)} is ${Math.round(box.width)} × ${Math.round(box.height)}`);
    }
  }

  // Structure: one heading of the page, no id twice, pictures and columns with names.
  const headings = document.querySelectorAll("h1").length;
  if (headings !== 1) found.add(`there are ${headings} h1`);
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  ids.filter((id, place) => ids.indexOf(id) !== place).forEach((id) => found.add(`the id ${id} is there twice`));
  document.querySelectorAll("img:not([alt]), svg[role=img]:not([aria-labelledby]):not([aria-label])").forEach((image) => found.add(`${said(image)} has no text`));
  document.querySelectorAll("th").forEach((cell) => { if (!cell.textContent.trim()) found.add("a column has no name"); });
  if (width < 721) document.querySelectorAll(".table td").forEach((cell) => {
    if (isShown(cell) && cell.cellIndex > 0 && !cell.dataset.label && !cell.matches(".first, .first + td, .changes, .bar-cell") && cell.textContent.trim()) {
      found.add(`${said(cell)} says not of what it is`);
    }
  });

  // Contrast (WCAG 2.2, 1.4.3): 4.5 to 1; 3 to 1 where letters are large.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const channels = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const over = (front, back) => [0, 1, 2].map((at) => front[at] * front[3] + back[at] * (1 - front[3])).concat(1);
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(channels(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((back, front) => over(front, back), channels("Canvas"));
  };
  const light = ([red, green, blue]) => {
    const part = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
  };
  const seen = new Map();
  for (const element of document.querySelectorAll("body *")) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!hasText || !isShown(element) || isForReadersAlone(element) || element.closest("svg, :disabled, option, meter")) continue;
    if (element.closest("label")?.querySelector(":disabled")) continue;
    const style = getComputedStyle(element);
    let opacity = 1;
    for (let at = element; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
    const back = behind(element);
    const front = channels(style.color);
    const [one, other] = [light(over([...front.slice(0, 3), front[3] * opacity], back)), light(back)].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (contrast < (isLarge ? 3 : 4.5)) seen.set(`${style.color} on ${back.slice(0, 3).map(Math.round)}`, `${said(element)} has a contrast of ${contrast.toFixed(2)}`);
  }
  seen.forEach((sentence, colours) => found.add(`${sentence} (${colours})`));
  return [...found].sort().slice(0, 40);
}
