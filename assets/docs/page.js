// The API's page: Swagger UI, and beside each answer in plain words how it came about.
"use strict";

// --- How an answer came about ------------------------------------------------------------------

/** The parts of a structured `cache-status` (RFC 9211): `predict-once; hit; detail=redis`. Other caches' follow after commas. */
function cacheStatus(value) {
  const parts = String(value).split(",")[0].split(";").map((part) => part.trim());
  const named = Object.fromEntries(parts.slice(1).map((part) => part.split("=")));
  return { hit: "hit" in named, forward: named.fwd, detail: named.detail, collapsed: "collapsed" in named };
}

/** The milliseconds of `server-timing`: `cache;dur=0.1841, model;dur=0.0043`. */
function timings(value) {
  // Swagger UI gives the header as a list where it has a comma and a space.
  const entries = String(value).split(",").map((entry) => entry.trim().split(";dur="));
  return Object.fromEntries(entries.map(([name, milliseconds]) => [name, `${Number(milliseconds).toPrecision(2)} ms`]));
}

/** What the headers of a prediction say, in a sentence or two. `undefined` if there is no `cache-status`. */
function howAnswered(status, headers) {
  if (!headers["cache-status"]) return undefined;
  const { hit, forward, detail, collapsed } = cacheStatus(headers["cache-status"]);
  const took = timings(headers["server-timing"] ?? "");
  const computed = `the model computed the answer in ${took.model}`;
  if (hit) {
    const where = detail === "redis" ? "Redis" : "the service's memory";
    return `From the cache (${where}) in ${took.cache}. The model did not run.`;
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
  return `Not in the cache yet: ${computed}. It is stored now: execute again to get it from the cache.`;
}

/** An error (RFC 9457), if that is what the response is. */
function problemOf(response) {
  if (!String(response.headers?.["content-type"]).startsWith("application/problem+json")) return undefined;
  try {
    return JSON.parse(response.text);
  } catch {
    return undefined;
  }
}

/** The sentences that are shown and announced for a response. */
function summary(response) {
  const problem = problemOf(response);
  const how = howAnswered(response.status, response.headers ?? {});
  const fields = (problem?.errors ?? []).map(({ pointer, detail, suggestion }) => ({
    name: decodeURIComponent(pointer.slice(2)),
    text: suggestion ? `${detail}. Probably meant: ${suggestion}` : detail,
  }));
  return { problem, how, fields };
}

/** What a screen reader is told of a response. */
function announced({ problem, how, fields }) {
  const parts = problem ? [`${problem.title}.`, ...fields.map(({ name, text }) => `${name} ${text}.`)] : ["Answered."];
  return [...parts, how ?? ""].join(" ");
}

// --- The page ----------------------------------------------------------------------------------

/** Swagger UI's own parts, with ours around them. */
function plugin({ React }) {
  const element = React.createElement;

  function Outcome({ response }) {
    const { problem, how, fields } = summary(response);
    const spoken = announced({ problem, how, fields });
    const requestId = response.headers?.["x-request-id"];
    React.useEffect(() => {
      document.getElementById("announcement").textContent = spoken;
    }, [spoken, requestId]);
    if (!problem && !how) return null;
    return element(
      "div",
      { className: problem ? "outcome problem" : "outcome" },
      problem && element("p", null, element("strong", null, problem.title), ". ", errorLink(problem)),
      fields.length > 0 &&
        element("ul", null, fields.map(({ name, text }) => element("li", { key: name }, element("code", null, name), " ", text))),
      how && element("p", null, how),
    );
  }

  // `type` begins at the service's root, which a stage of the gateway may have moved.
  const errorLink = ({ type }) =>
    type?.startsWith("/docs/") && element("a", { href: type.slice(1) }, "What this error means");

  return {
    wrapComponents: {
      liveResponse: (Original) => (props) => {
        const response = props.response.toJS();
        return element(React.Fragment, null, element(Outcome, { response }), element(Original, props));
      },
      // There is one server, the one that the page comes from.
      ServersContainer: () => () => null,
      // Nothing is asked of a client.
      authorizeBtn: () => () => null,
      // Every operation can be tried at once.
      TryItOutButton: () => () => null,
      // The path is within the button that opens the operation, where there must be no link.
      DeepLink: () => ({ text }) => element("span", null, text),
    },
  };
}

/** Names that Swagger UI does not give to its controls, without which a screen reader cannot tell what they are. */
const NAMES = {
  ".opblock-section-request-body .examples-select-element": "Example to send",
  ".responses-wrapper .examples-select-element": "Example of this response",
  "select.content-type": "Media type",
  "textarea.body-param__text": "The request's body, JSON",
  ".parameters-col_description select": "Value",
};

/** Names the controls and the landmarks within `root`, and lets the keyboard scroll what scrolls. */
function mend(root) {
  for (const [selector, name] of Object.entries(NAMES)) {
    for (const control of root.querySelectorAll(`${selector}:not([aria-label])`)) control.ariaLabel = name;
  }
  for (const code of root.querySelectorAll("pre:not(.version, [tabindex])")) code.tabIndex = 0;
  for (const table of root.querySelectorAll("table[role=region]:not([aria-label])")) {
    table.ariaLabel = `Responses of ${table.closest(".opblock").querySelector(".opblock-summary-path").textContent}`;
  }
  const about = root.querySelector(".information-container:not([role])");
  if (about) Object.assign(about, { role: "region", ariaLabel: "About this API" });
}

/** The document as the page shows it: wrong examples among the others, and requests to where the page comes from. */
function forThePage(description, address) {
  for (const item of Object.values(description.paths)) {
    for (const content of Object.values(item.post?.requestBody?.content ?? {})) {
      content.examples = { ...content.examples, ...content["x-wrong-examples"] };
    }
  }
  const root = new URL(".", address).href.replace(/\/$/, "");
  description.servers = [{ url: root }];
  description.info.description = description.info.description.replaceAll("https://…", root);
  return description;
}

function followColorScheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", apply);
  apply();
}

async function start() {
  const address = new URL("openapi.json", location.href);
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address} was answered with ${response.status}`);
  const description = forThePage(await response.json(), address);
  const ui = SwaggerUIBundle({
    spec: description,
    dom_id: "#api",
    presets: [SwaggerUIBundle.presets.apis],
    plugins: [plugin],
    layout: "BaseLayout",
    deepLinking: true,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    defaultModelExpandDepth: 3,
    validatorUrl: null,
    // The default's numbers are too faint.
    syntaxHighlight: { theme: "monokai" },
  });
  const root = document.getElementById("api");
  new MutationObserver(() => mend(root)).observe(root, { childList: true, subtree: true });
  if (!location.hash.startsWith("#/")) openFirst(ui, description);
}

/** Opens the first operation, so that there is something to execute at once, and leaves the address as it is. */
function openFirst(ui, description) {
  const { tags, operationId } = Object.values(description.paths)[0].post;
  ui.getStore().dispatch({ type: "layout_show", payload: { thing: ["operations", tags[0], operationId], shown: true } });
}

followColorScheme();
start().catch((error) => {
  const notice = document.createElement("p");
  notice.className = "notice";
  notice.textContent = `The API's description cannot be shown: ${error.message}`;
  document.getElementById("api").replaceChildren(notice);
});
