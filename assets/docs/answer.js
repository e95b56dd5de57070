// Explains a response: where the answer is from, what is wrong with the request, and how the fields add up to the score.
import { el, named } from "./elements.js";

/** Parses the first entry of `cache-status` (RFC 9211), such as `predict-once; hit; detail=redis`; later entries are other caches'. */
function cacheStatus(value) {
  const parts = String(value).split(",")[0].split(";").map((part) => part.trim());
  const named = Object.fromEntries(parts.slice(1).map((part) => part.split("=")));
  return { hit: "hit" in named, forward: named.fwd, detail: named.detail, collapsed: "collapsed" in named };
}

/** The milliseconds of `server-timing`: `cache;dur=0.1841, model;dur=0.0043`. */
function timings(value) {
  // Swagger UI returns a header that contains a comma and a space as a list.
  const entries = String(value).split(",").map((entry) => entry.trim().split(";dur="));
  return Object.fromEntries(entries.map(([name, milliseconds]) => [name, `${Number(milliseconds).toPrecision(2)} ms`]));
}

/** The caches by their name in `cache-status`. A test compares them with the service's. */
const TIERS = { memory: "the service's memory", redis: "Redis", dynamodb: "DynamoDB" };

/** Explains the headers of a prediction in a sentence or two; `undefined` without `cache-status`. */
function howAnswered(status, headers) {
  if (!headers["cache-status"]) return undefined;
  const { hit, forward, detail, collapsed } = cacheStatus(headers["cache-status"]);
  const took = timings(headers["server-timing"] ?? "");
  const computed = `the model computed the answer in ${took.model}`;
  if (hit) {
    return `From the cache (${TIERS[detail] ?? detail}) in ${took.cache}. The model did not run.`;
  }
  if (status === 504) return "The request allowed only a cached answer, and none is available. The model did not run.";
  if (status !== 200) return undefined;
  if (collapsed) return "Another request was computing this prediction: the answer is its result.";
  if (forward === "partial") return `Some of the inputs were in the cache. For the others, ${computed}.`;
  if (forward === "bypass" && detail === "cost") return `The model is faster than the cache: ${computed}.`;
  if (forward === "request") return `Your cache-control header bypassed the cache: ${computed}.`;
  if (forward === "bypass") return `The service has no cache: ${computed}.`;
  if (detail === "unavailable") return `The cache did not answer: ${computed}.`;
  if (detail === "corrupt") return `The cache held an invalid entry: ${computed}, and the entry is overwritten.`;
  return `Not in the cache yet: ${computed}. It is now stored: execute again to get it from the cache.`;
}

/** The response's problem details (RFC 9457), or `undefined` if it is no error. */
function problemOf(response) {
  if (!String(response.headers?.["content-type"]).startsWith("application/problem+json")) return undefined;
  try {
    return JSON.parse(response.text);
  } catch {
    return undefined;
  }
}

/** What is told of a response: `{ status, headers, text }`. */
function summary(response) {
  const problem = problemOf(response);
  const how = howAnswered(response.status, response.headers ?? {});
  const fields = (problem?.errors ?? []).map(({ pointer, detail, suggestion }) => ({
    name: decodeURIComponent(pointer.slice(2)),
    text: suggestion ? `${detail}. Probably meant: ${suggestion}` : detail,
  }));
  return { problem, how, fields };
}

/** The text that a screen reader announces for a response. */
export function announced(response) {
  const { problem, how, fields } = summary(response);
  const parts = problem ? [`${problem.title}.`, ...fields.map(({ name, text }) => `${name} ${text}.`)] : ["Answered."];
  return [...parts, how ?? ""].join(" ");
}

/** What is shown of a response beside its text: elements. */
export function explained(response) {
  const { problem, how, fields } = summary(response);
  const shown = [];
  if (problem || how) {
    const kind = problem && el("p", {}, el("strong", {}, problem.title), ". ", ...errorLink(problem));
    const list = fields.length > 0 && el("ul", {}, ...fields.map(({ name, text }) => el("li", {}, el("code", {}, name), " ", text)));
    shown.push(el("div", { class: problem ? "outcome problem" : "outcome" }, kind, list, how && el("p", {}, how)));
  }
  const reasons = reasonsOf(response);
  if (reasons) shown.push(waterfall(reasons));
  return shown;
}

/** `type` starts at the service's root or with its base path. A proxy may have removed another prefix, so it is made relative to the page. */
function errorLink({ type }) {
  if (!type?.includes("/docs/")) return [];
  return [el("a", { href: type.slice(type.lastIndexOf("/docs/") + 1) }, "What this error means")];
}

// --- Contributions -----------------------------------------------------------------------------

/** The contributions in the answer to one input. */
function reasonsOf({ status, text }) {
  if (status !== 200 || !text.includes('"contributions"')) return undefined;
  const isReasons = (member) => Array.isArray(member?.contributions) && typeof member.base === "number";
  return Object.values(JSON.parse(text)).find(isReasons);
}

/** A number with its sign, in three digits. */
const signed = (number) => `${number < 0 ? "\u2212" : "+"}${Number(Math.abs(number).toPrecision(3))}`;
const plain = (number) => signed(number).replace("+", "");

/** A waterfall: from the base, each field's bar begins where the one above it ends; the last ends at the score. It is a table, so that
 * everything can be read without the picture.
 */
function waterfall({ base, contributions, others, score }) {
  let total = base;
  const step = (name, adds) => {
    const from = total;
    total += adds;
    return { name, adds, from, to: total };
  };
  const steps = contributions.map(({ field, value, contribution, reason }) => {
    const name = [...named(field), " = ", el("code", {}, JSON.stringify(value))];
    return step(reason ? [...name, el("br"), el("small", {}, reason)] : name, contribution);
  });
  if (others !== 0) steps.push(step(["all other fields"], others));
  const ends = [base, score, ...steps.map(({ to }) => to)];
  const [least, most] = [Math.min(...ends), Math.max(...ends)];
  const place = (value) => `${most === least ? 50 : 3 + (94 * (value - least)) / (most - least)}%`;

  const line = (part, value) => {
    const line = el("i", { class: part });
    line.style.left = place(value);
    return line;
  };
  const bar = ({ adds, from, to }) => {
    const bar = el("b", { class: adds < 0 ? "lowers" : "raises" });
    bar.style.left = place(Math.min(from, to));
    bar.style.right = `calc(100% - ${place(Math.max(from, to))})`;
    return bar;
  };
  const row = (className, name, picture, number) =>
    el("tr", { class: className }, el("th", { scope: "row" }, ...name), el("td", { "aria-hidden": "true" }, ...picture), el("td", {}, number));
  const mean = ["base", el("br"), el("small", {}, "the mean score of the training data")];
  return el(
    "table",
    { class: "waterfall" },
    el("caption", {}, "How the fields add up to the score"),
    el("tr", {}, el("th", { scope: "col" }, "Field"), el("td", { "aria-hidden": "true" }), el("th", { scope: "col" }, "Adds")),
    row("end", mean, [line("below mark", base)], plain(base)),
    ...steps.map((step) => row("", step.name, [line("above", step.from), bar(step), line("below", step.to)], signed(step.adds))),
    row("end", ["score"], [line("above mark", score)], plain(score)),
  );
}
