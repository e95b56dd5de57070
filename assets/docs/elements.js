// Makes elements.

/** An element with attributes and children; children that are `undefined`, `null` or `false` are left out. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** A field's name, which may be broken after each `_` and `-`. */
export function named(name) {
  const parts = name.split(/(?<=[_-])/);
  return parts.flatMap((part, index) => (index > 0 ? [el("wbr"), part] : [part]));
}

/** The blocks of a Markdown text: paragraphs and lists. */
export function blocks(markdown) {
  return markdown
    .split(/\n\s*\n/)
    .map((block) => block.trim())
    .filter((block) => block !== "")
    .map((block) => {
      if (!block.startsWith("* ")) return el("p", {}, ...inline(block));
      return el("ul", {}, ...block.slice(2).split(/\n\* /).map((item) => el("li", {}, ...inline(item))));
    });
}

/** Code, strong and emphasised text, and links to other sites. */
export function inline(markdown) {
  return markdown.split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*|\[[^\]]+\]\(https?:[^)\s]+\))/).map((part) => {
    if (/^`.+`$/s.test(part)) return el("code", {}, part.slice(1, -1));
    if (/^\*\*.+\*\*$/s.test(part)) return el("strong", {}, part.slice(2, -2));
    if (/^\*.+\*$/s.test(part)) return el("em", {}, part.slice(1, -1));
    const link = part.match(/^\[(.+)\]\((.+)\)$/s);
    return link ? el("a", { href: link[2] }, link[1]) : part;
  });
}
