/** Makes elements of the page. Data reaches the page as text only: nothing here parses markup. */

/**
 * Return a new element. `properties` are attributes, but `class`, `on…` (listeners), `text` and `value` are what they
 * are called; an attribute of null or false is left out.
 */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "text") made.textContent = value;
    else if (key === "class") made.className = value;
    else if (key === "value") made.value = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return made;
}

/** Return the element of the page with an id; it is a mistake of ours if there is none. */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return found;
}

/** Return text with its parts in `ranges` (`{start, end, kind}`, in order) marked by classes. */
export function marked(text, ranges) {
  const nodes = [];
  let place = 0;
  for (const { start, end, kind, title } of ranges) {
    if (start < place) continue;
    nodes.push(text.slice(place, start), element("span", { class: kind, title, text: text.slice(start, end) }));
    place = end;
  }
  nodes.push(text.slice(place));
  return nodes;
}

/** Show or hide an element. */
export function show(node, isShown) {
  node.hidden = !isShown;
}
