// Elements from data, and the least change from what stands to what should. Text is only ever set
// as text: nothing that came from a worker or a file name is parsed as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "style") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

export const h = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
export const s = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

function patchAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (name !== "open" && name !== "style" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (name !== "style" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (old.style.cssText !== fresh.style.cssText) old.style.cssText = fresh.style.cssText;
}

// Turns the children of `old` into `fresh`, keeping elements that stay: focus, open details and
// transitions survive an update.
export function patch(old, fresh) {
  const now = [...old.childNodes];
  fresh.forEach((wanted, place) => {
    const there = now[place];
    if (!there) old.append(wanted);
    else if (there.nodeName !== wanted.nodeName || there.dataset?.key !== wanted.dataset?.key) there.replaceWith(wanted);
    else if (there.nodeType === Node.TEXT_NODE) { if (there.data !== wanted.data) there.data = wanted.data; }
    else { patchAttributes(there, wanted); patch(there, [...wanted.childNodes]); }
  });
  now.slice(fresh.length).forEach((node) => node.remove());
}
