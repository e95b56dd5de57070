// The fields of the form: a control for each, and what it sends.
import { el } from "./elements.js";

/** A number as JSON writes it. */
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/** A field's type, unless it is `null`. */
const typeOf = ({ type }) => [type].flat().find((name) => name !== "null");

const isNullable = ({ type }) => Array.isArray(type) && type.includes("null");

/** What a field is, of a `date` with or without the time: `category` has listed values; `open` ones may have others; `text` is what a model reads as words. */
function kindOf(schema) {
  if (schema.contentMediaType?.startsWith("image/")) return "image";
  if (schema.enum) return "category";
  if (typeOf(schema) !== "string") return typeOf(schema);
  if (schema.format?.startsWith("date")) return "date";
  return schema.maxLength ? "text" : "open";
}

/** What is allowed, in words. */
export function allowed(schema) {
  const kind = kindOf(schema);
  if (kind === "category") return list(schema.enum.filter((value) => value !== null));
  if (kind === "open") return schema.examples ? ["such as ", ...list(schema.examples)] : [];
  if (kind === "boolean") return list([true, false]);
  if (kind === "text") return [`up to ${schema.maxLength.toLocaleString("en")} characters`];
  if (kind === "image") return ["an image file"];
  if (kind === "date") return ["such as ", el("code", {}, schema.format === "date" ? "2026-11-30" : "2026-11-30T09:00:00Z")];
  if (kind === "array") return [`JSON: ${shape(schema)}`];
  return [bounds(schema) || `any ${kind}`];
}

/** As many of the values as fit; a select has the others. */
function list(values) {
  const MOST = 12;
  const shown = values.slice(0, MOST).flatMap((value, index) => [index > 0 ? ", " : "", el("code", {}, String(value))]);
  return values.length > MOST ? [...shown, ` and ${values.length - MOST} more`] : shown;
}

function bounds({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }) {
  const show = (number) => number.toLocaleString("en", { maximumSignificantDigits: 17, useGrouping: Math.abs(number) >= 1e5 });
  if (minimum !== undefined && maximum !== undefined) return `${show(minimum)} to ${show(maximum)}`;
  const lower = minimum !== undefined ? `at least ${show(minimum)}` : exclusiveMinimum !== undefined && `above ${show(exclusiveMinimum)}`;
  const upper = maximum !== undefined ? `at most ${show(maximum)}` : exclusiveMaximum !== undefined && `below ${show(exclusiveMaximum)}`;
  return [lower, upper].filter(Boolean).join(", ");
}

/** `300 × 4 numbers`; `n` stands for any length. */
function shape(schema) {
  const sizes = [];
  for (; schema.type === "array"; schema = schema.items) sizes.push(schema.maxItems ?? "n");
  const limits = bounds(schema);
  return `${sizes.join(" × ")} ${schema.type === "boolean" ? "booleans" : `${schema.type}s`}${limits && `, each ${limits}`}`;
}

/** The type as readers know it. */
export function typeName(schema) {
  const kind = kindOf(schema);
  if (kind === "date" && schema.format !== "date") return "date and time";
  return kind === "open" ? "category" : kind;
}

/** The control of a field, which has `id`: `element`; `set(value)`, which shows an example's value; and `json()`, the value as JSON, or
 * `undefined` if the field is left out. `isWide` if it needs a line of its own. An image also has `file()`, the one that was chosen.
 */
export function control(schema, id) {
  const kind = kindOf(schema);
  if (kind === "image") return image(schema, id);
  if (kind === "category") return choice(schema.enum.filter((value) => value !== null), id);
  if (kind === "boolean") return choice([true, false], id);
  const element = kind === "text" || kind === "array" ? el("textarea", { id, rows: kind === "text" ? 5 : 3 }) : input(schema, kind, id);
  element.setAttribute("autocomplete", "off");
  element.setAttribute("spellcheck", "false");
  const isText = kind === "text" || kind === "open";
  // What is no JSON is sent as a text, and the service says what is allowed.
  const isJson = { array: parses, text: () => false, open: () => false, date: () => false }[kind] ?? ((typed) => NUMBER.test(typed));
  // An empty text is a text, unless the field may be left out.
  const isLeftOut = () => element.value === "" && (kind !== "text" || isNullable(schema));
  const typed = () => (isLeftOut() ? undefined : isJson(element.value.trim()) ? element.value.trim() : JSON.stringify(element.value));
  return remembering(element, typed, (value) => (typeof value === "string" ? value : isText ? String(value) : JSON.stringify(value)), {
    isWide: kind === "text" || kind === "array",
    shown: kind === "open" && schema.examples && el("datalist", { id: `${id}-known` }, ...schema.examples.map((value) => el("option", { value }))),
  });
}

function input(schema, kind, id) {
  const lowest = schema.minimum ?? schema.exclusiveMinimum ?? -1;
  // Keyboards of phones for numbers may have no minus.
  const inputmode = kind === "open" || kind === "date" || lowest < 0 ? undefined : kind === "integer" ? "numeric" : "decimal";
  return el("input", { id, type: "text", inputmode, list: kind === "open" && schema.examples ? `${id}-known` : undefined });
}

function parses(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Listed values. An example's may be another, to show the error. */
function choice(values, id) {
  const option = (value) => el("option", { value: JSON.stringify(value) }, String(value));
  const element = el("select", { id }, el("option", { value: "" }, "(left out)"), ...values.map(option));
  const show = (value) => {
    const json = JSON.stringify(value);
    if (![...element.options].some(({ value }) => value === json)) element.append(option(value));
    return json;
  };
  return remembering(element, () => element.value || undefined, show);
}

/** Sends an example's value as it is until the reader changes it. */
function remembering(element, typed, show, more = {}) {
  let example;
  const set = (value) => {
    element.value = value === undefined || value === null ? "" : show(value);
    example = value === undefined ? undefined : { json: JSON.stringify(value), shown: element.value };
  };
  return { element, set, json: () => (example?.shown === element.value ? example.json : typed()), isWide: false, ...more };
}

/** A picker of files, with a preview. */
function image(schema, id) {
  const element = el("input", { id, type: "file", accept: schema.contentMediaType });
  const preview = el("img", { alt: "", class: "preview", hidden: true });
  let base64;
  const show = (value) => {
    base64 = value;
    preview.hidden = !value;
    if (value) preview.src = `data:image/*;base64,${value}`;
  };
  preview.addEventListener("error", () => (preview.hidden = true));
  let read = Promise.resolve();
  element.addEventListener("change", () => {
    const [file] = element.files;
    read = new Promise((resolve) => {
      if (!file) return resolve(show(undefined));
      const reader = new FileReader();
      reader.addEventListener("load", () => resolve(show(reader.result.slice(reader.result.indexOf(",") + 1))));
      reader.addEventListener("error", () => resolve(show(undefined)));
      reader.readAsDataURL(file);
    });
  });
  const set = (value) => {
    element.value = "";
    show(value ?? undefined);
  };
  const json = () => (base64 === undefined ? undefined : JSON.stringify(base64));
  return { element, set, json, isWide: true, shown: preview, file: () => element.files[0], ready: () => read };
}
