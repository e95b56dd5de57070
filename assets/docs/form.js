// The form: a table of the input's fields, a prediction at the press of a button, and its answer.
import { announced, explained } from "./answer.js";
import { allowed, control, typeName } from "./controls.js";
import { blocks, el, named } from "./elements.js";

const JSON_TYPE = "application/json";

/** The name of the schema of a prediction's input; `undefined` for an endpoint with another body, such as OpenAI's. */
const inputOf = ({ requestBody }) => requestBody.content[JSON_TYPE].schema.oneOf?.[0].$ref?.split("/").at(-1);

/** Shows the model and the form in `place`. `description` is the OpenAPI document, as the page shows it. */
export function showForm(place, description) {
  const parameters = description.components.parameters;
  const predictions = Object.entries(description.paths)
    .filter(([, { post }]) => post && inputOf(post))
    .map(([path, { post }]) => ({
      path,
      summary: post.summary,
      requestBody: post.requestBody,
      explain: post.parameters.map(({ $ref }) => parameters[$ref.split("/").at(-1)]).find(({ name }) => name === "explain"),
    }));
  const schema = description.components.schemas[inputOf(predictions[0])];
  const fields = Object.entries(schema.properties).map(([name, of], index) => field(name, of, schema.required ?? [], `field-${index}`));
  const root = description.servers[0].url;

  const prediction = select("prediction", predictions.map(({ path, summary }, index) => [index, summary ? `${path} – ${summary}` : path]));
  const chosen = () => predictions[prediction.value];
  // Several inputs at once are for the operations below.
  const examples = Object.values(predictions[0].requestBody.content[JSON_TYPE].examples).filter(({ value }) => !Array.isArray(value));
  const example = select("example", examples.map(({ summary }, index) => [index, summary]));
  const most = predictions[0].explain?.schema.maximum ?? 0;
  const numbers = [...new Set([1, 3, 5, 10, most])].filter((number) => number <= most);
  const explain = select("explain", [["", "no"], ...numbers.map((number) => [number, number === most ? `all ${most} fields` : `top ${number}`])]);

  /** Members of the example that are no fields: they show an error. */
  let others = {};
  const fill = () => {
    const value = examples[example.value]?.value;
    fields.forEach(({ name, schema, control }) => control.set(value ? value[name] : schema.examples?.[0]));
    const names = new Set(fields.map(({ name }) => name));
    others = Object.fromEntries(Object.entries(value ?? {}).filter(([name]) => !names.has(name)));
    clear(fields);
  };
  example.addEventListener("change", fill);
  fill();

  const answer = el("section", { class: "answer", "aria-label": "The answer" }, el("p", { class: "quiet" }, "Press Execute: the answer appears here."));
  const form = el(
    "form",
    { novalidate: true },
    el(
      "div",
      { class: "tools" },
      labelled("Prediction", prediction),
      examples.length > 0 && labelled("Example", example),
      most > 0 && labelled("Explain", explain),
      el("button", { type: "submit" }, "Execute"),
    ),
    answer,
    table(fields),
  );
  const request = () => requestOf(root, chosen(), explain.value, fields, others);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(request, answer, fields);
  });
  form.addEventListener("keydown", ({ key, ctrlKey, metaKey }) => {
    if (key === "Enter" && (ctrlKey || metaKey)) form.requestSubmit();
  });
  place.replaceChildren(...head(description.info), form);
}

/** The model's title, its fingerprint, and the beginning of its description. */
function head({ title, "x-model": { name, fingerprint, description } }) {
  const [first, ...rest] = blocks(description);
  const about = first && (rest.length > 0 ? el("details", {}, el("summary", {}, ...first.childNodes), ...rest) : first);
  const badge = el("p", { class: "badge" }, el("code", {}, name), " fingerprint ", el("code", {}, fingerprint));
  return [el("header", { class: "model" }, el("h1", {}, title), badge, about)];
}

const labelled = (text, control) => el("div", { class: `tool ${control.id}` }, el("label", { for: control.id }, text), control);

function select(id, options) {
  return el("select", { id }, ...options.map(([value, text]) => el("option", { value }, text)));
}

// --- The table ---------------------------------------------------------------------------------

function field(name, schema, required, id) {
  return { name, schema, isRequired: required.includes(name), control: control(schema, id), id, error: el("p", { class: "error", id: `${id}-error` }) };
}

function table(fields) {
  const rows = fields.map(row);
  const isPlain = rows.every(({ lastChild }) => lastChild.childNodes.length === 0);
  const head = ["Field", "Value", "Meaning"].map((text) => el("th", { scope: "col", role: "columnheader" }, text));
  // The roles are named because some browsers do not see a table where the style is another.
  return el(
    "table",
    { class: isPlain ? "fields plain" : "fields", role: "table", "aria-label": "The fields of the input" },
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...head)),
    el("tbody", { role: "rowgroup" }, ...rows),
  );
}

function row({ name, schema, isRequired, control, id, error }) {
  const facts = [typeName(schema), schema["x-unit"], isRequired ? "required" : "optional"].filter(Boolean).join(" · ");
  control.element.setAttribute("aria-describedby", `${id}-allowed ${id}-error`);
  control.element.addEventListener("input", () => clear([{ control, error }]));
  // These are in the table already.
  const isNew = (paragraph) => ![`Unit: ${schema["x-unit"]}.`, "May be omitted or null."].includes(paragraph.textContent);
  const [first, ...rest] = blocks(schema.description ?? "").filter(isNew);
  return el(
    "tr",
    { role: "row", class: control.isWide ? "wide" : undefined },
    el("th", { scope: "row", role: "rowheader" }, el("label", { for: id }, ...named(name)), el("small", {}, facts)),
    el("td", { role: "cell" }, control.element, control.shown, el("small", { id: `${id}-allowed` }, ...allowed(schema)), error),
    el("td", { role: "cell" }, first, rest.length > 0 && el("details", {}, el("summary", {}, "More", el("span", { class: "unseen" }, ` about ${name}`)), ...rest)),
  );
}

function clear(fields) {
  for (const { control, error } of fields) {
    control.element.removeAttribute("aria-invalid");
    error.textContent = "";
  }
}

// --- A request and its answer ------------------------------------------------------------------

/** What is sent: an address, a media type and a body, which is a chosen image where the service takes one as it is. */
async function requestOf(root, { path, requestBody: { content } }, explain, fields, others) {
  await Promise.all(fields.map(({ control }) => control.ready?.()));
  const address = `${root}${path}${explain && `?explain=${explain}`}`;
  const file = fields.length === 1 && fields[0].control.file?.();
  if (file && file.type in content) return { address, type: file.type, body: await file.arrayBuffer(), shown: `--data-binary ${quoted(`@${file.name}`)}` };
  const members = fields.map(({ name, control }) => [name, control.json()]).filter(([, json]) => json !== undefined);
  members.push(...Object.entries(others).map(([name, value]) => [name, JSON.stringify(value)]));
  const body = `{${members.map(([name, json]) => `\n  ${JSON.stringify(name)}: ${json}`).join(",")}\n}`;
  const LONGEST = 20_000;
  return { address, type: JSON_TYPE, body, shown: body.length > LONGEST ? "-d @body.json" : `-d ${quoted(body)}` };
}

/** As a shell reads it. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** The last request: an answer to an earlier one comes too late. */
let last;

async function send(request, place, fields) {
  clear(fields);
  const mine = (last = Symbol());
  place.setAttribute("aria-busy", "true");
  let shown;
  try {
    const { address, type, body, shown: sent } = await request();
    const start = performance.now();
    const answered = await fetch(address, { method: "POST", headers: { "content-type": type }, body });
    const response = { status: answered.status, headers: Object.fromEntries(answered.headers), text: await answered.text() };
    const took = performance.now() - start;
    if (mine !== last) return;
    mark(fields, response);
    const curl = `curl -i ${quoted(address)} \\\n  -H 'content-type: ${type}' \\\n  ${sent}`;
    shown = [
      ...result(response),
      ...explained(response),
      el("h2", {}, `${response.status} `, el("small", {}, `in ${took.toFixed(took < 10 ? 1 : 0)} ms, as the browser sees it`)),
      el("pre", { tabindex: "0", class: "body", "aria-label": "The response's body" }, indented(response.text)),
      more("Headers", Object.entries(response.headers).map(([name, value]) => `${name}: ${value}`).join("\n")),
      more("The same with curl", curl),
    ];
    document.getElementById("announcement").textContent = announced(response);
  } catch (error) {
    if (mine !== last) return;
    shown = [el("div", { class: "outcome problem" }, el("p", {}, el("strong", {}, "No answer."), ` ${error.message}`))];
  }
  place.removeAttribute("aria-busy");
  place.replaceChildren(...shown);
  // On a small screen, the answer may be out of sight.
  const { top } = place.getBoundingClientRect();
  if (top < 0 || top > 0.8 * innerHeight) place.scrollIntoView();
}

function more(title, text) {
  return el("details", {}, el("summary", {}, title), el("pre", { tabindex: "0" }, text));
}

/** The predicted value, if it is one. */
function result({ status, text }) {
  if (status !== 200) return [];
  const [name, value] = Object.entries(JSON.parse(text))[0];
  return typeof value === "object" ? [] : [el("p", { class: "result" }, ...named(name), " ", el("strong", {}, String(value)))];
}

/** Shows what is wrong beside the fields. */
function mark(fields, { status, text }) {
  if (status !== 422) return;
  for (const { pointer, detail, suggestion } of JSON.parse(text).errors ?? []) {
    const name = decodeURIComponent(pointer.slice(2)).split("/")[0].replaceAll("~1", "/").replaceAll("~0", "~");
    const wrong = fields.find((field) => field.name === name);
    if (!wrong) continue;
    wrong.control.element.setAttribute("aria-invalid", "true");
    wrong.error.append(suggestion ? `${detail}. Probably meant: ${suggestion} ` : `${detail} `);
  }
}

/** JSON with a line for each member of an object, and for each item of an array that has members of its own. Numbers stay as they are. */
function indented(json) {
  const tokens = json.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  const open = [];
  const line = () => `\n${"  ".repeat(open.length)}`;
  return tokens
    .map((token, index) => {
      const next = tokens[index + 1];
      if (token === "{" || token === "[") {
        open.push(token);
        if (next === "}" || next === "]") return token;
        return token === "{" || next === "{" || next === "[" ? token + line() : token;
      }
      if (token === "}" || token === "]") {
        open.pop();
        const before = tokens[index - 1];
        const isShort = before === "{" || before === "[" || (token === "]" && before !== "}" && before !== "]");
        return isShort ? token : line() + token;
      }
      if (token === ":") return ": ";
      if (token === ",") return open.at(-1) === "{" || next === "{" || next === "[" ? token + line() : ", ";
      return token;
    })
    .join("");
}
