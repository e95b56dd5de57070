// The dashboard: reads the server's numbers every few seconds and shows them. The server keeps the history.
"use strict";

const EVERY = 5000;

// In the order in which they are stacked, from below.
const OUTCOMES = {
  hit_memory: "hits in memory",
  hit_redis: "hits in Redis",
  hit_dynamodb: "hits in DynamoDB",
  miss: "misses",
  unavailable: "store unavailable",
  bypass: "not looked up",
};
const SOURCES = { memory: "memory", store: "the store", model: "the model (misses)" };
const STORES = { redis: "Redis", dynamodb: "DynamoDB" };

const part = (id) => document.getElementById(id);
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

// --- Numbers for people ------------------------------------------------------------------------

const whole = (number) => Math.round(number).toLocaleString("en");

function short(number) {
  if (Math.abs(number) >= 100) return whole(number);
  return Number(number.toPrecision(2)).toString();
}

function milliseconds(number) {
  if (number === null) return "–";
  if (number >= 1000) return `${short(number / 1000)} s`;
  return number < 0.1 ? `${short(number * 1000)} µs` : `${short(number)} ms`;
}

function time(seconds) {
  const size = Math.abs(seconds);
  if (size < 60) return size < 0.001 ? "0 s" : `${short(seconds)} s`;
  if (size < 7200) return `${short(seconds / 60)} min`;
  return size < 172800 ? `${short(seconds / 3600)} h` : `${short(seconds / 86400)} days`;
}

function bytes(number) {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  let unit = 0;
  for (; number >= 1024 && unit < units.length - 1; unit += 1) number /= 1024;
  return `${short(number)} ${units[unit]}`;
}

const percent = (share) => (Number.isFinite(share) ? `${(100 * share).toFixed(1)} %` : "–");

// --- Elements ----------------------------------------------------------------------------------

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** A table row, whose first cell is its header. */
function row(texts, className) {
  const made = element("tr", undefined, className);
  texts.forEach((text, position) => {
    const cell = element(position === 0 ? "th" : "td");
    if (position === 0) cell.scope = "row";
    if (text instanceof Node) cell.append(text);
    else cell.textContent = text;
    made.append(cell);
  });
  return made;
}

function rows(id, made, otherwise) {
  part(id).replaceChildren(...(made.length > 0 ? made : [row([otherwise])]));
}

function tile(name, value, isBad) {
  const made = element("div", undefined, isBad ? "bad" : "");
  made.append(element("dt", name), element("dd", value));
  return made;
}

// --- The parts of the page ---------------------------------------------------------------------

function showTiles({ predictions, saved, latency, store }) {
  const hits = predictions.hit_memory + predictions.hit_redis + predictions.hit_dynamodb;
  const looked = hits + predictions.miss + predictions.unavailable;
  const requests = sum(Object.values(latency).map((source) => source.requests));
  const tiles = [
    tile("hit ratio", percent(hits / looked)),
    tile("predictions", whole(sum(Object.values(predictions)))),
    tile("requests", whole(requests)),
    tile("time saved", saved ? time(saved.seconds) : "–", saved && saved.seconds < 0),
  ];
  if (saved && saved.money !== null) tiles.push(tile("money saved", saved.money.toPrecision(2), saved.money < 0));
  if (store) {
    const isOpen = Object.values(store.breakers_open).includes(true);
    tiles.push(tile(STORES[store.name], isOpen ? "unavailable" : "available", isOpen));
  }
  part("tiles").replaceChildren(...tiles);
}

function showChart(minutes, windowSeconds) {
  const width = 600 / 60;
  const most = Math.max(1, ...minutes.map(sum));
  const bars = [];
  minutes.slice(-60).forEach((counts, position, shown) => {
    let top = 160;
    Object.keys(OUTCOMES).forEach((name, outcome) => {
      const height = (150 * counts[outcome]) / most;
      if (height === 0) return;
      top -= height;
      const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const left = 600 - (shown.length - position) * width;
      Object.entries({ x: left + 1, y: top, width: width - 2, height, class: name }).forEach(([key, value]) => bar.setAttribute(key, value));
      bars.push(bar);
    });
  });
  part("chart").replaceChildren(...bars);
  const total = (name) => sum(minutes.map((counts) => counts[Object.keys(OUTCOMES).indexOf(name)]));
  const shown = Object.keys(OUTCOMES).filter((name) => total(name) > 0);
  const texts = shown.map((name) => `${whole(total(name))} ${OUTCOMES[name]}`);
  part("chart").setAttribute("aria-label", `Predictions per minute, at most ${whole(most)}. ${texts.join(", ") || "None yet"}.`);
  part("legend").replaceChildren(...shown.map((name, position) => element("li", texts[position], name)));
  part("from").textContent = "60 min ago";
  part("most").textContent = `highest bar: ${whole(most)}`;
  part("window").textContent = windowSeconds < 3590 ? `The process has been counting for ${time(windowSeconds)}.` : "";
}

function showLatency(latency) {
  const seen = Object.entries(SOURCES).filter(([source]) => latency[source].requests > 0);
  const made = seen.map(([source, name]) => {
    const { requests, median_ms: median, p99_ms: p99 } = latency[source];
    return row([name, whole(requests), milliseconds(median), milliseconds(p99)]);
  });
  rows("latency", made, "No request yet.");
}

function showProcess({ memory, store, runs, saved, connections, log_lines_dropped: dropped, uptime_seconds: uptime, version }) {
  const made = [row(["up for", time(uptime)]), row(["version", version]), row(["open connections", whole(connections)])];
  if (memory) {
    made.push(row(["entries in memory", `${whole(memory.entries)} of ${whole(memory.max_entries)}`]));
    made.push(row(["their size", `${bytes(memory.bytes)} of ${bytes(memory.max_bytes)}`]));
  } else {
    made.push(row(["cache in memory", "none"]));
  }
  if (store) {
    for (const [commands, isOpen] of Object.entries(store.breakers_open)) {
      made.push(row([`${STORES[store.name]}: ${commands}`, isOpen ? "paused" : "working"], isOpen ? "bad" : ""));
    }
    made.push(row([`${STORES[store.name]}: failed writes`, whole(store.failed_writes)], store.failed_writes > 0 ? "bad" : ""));
  } else {
    made.push(row(["store behind it", "none"]));
  }
  made.push(row(["runs of the model now, waiting", `${whole(runs.running)}, ${whole(runs.waiting)}`]));
  if (runs.refused > 0) made.push(row(["requests refused: no room in the queue", whole(runs.refused)], "bad"));
  if (saved) made.push(row(["mean run of the model", milliseconds(saved.mean_run_ms)]));
  made.push(row(["log lines dropped", whole(dropped)], dropped > 0 ? "bad" : ""));
  rows("process", made);
}

function showInputs(inputs) {
  const made = inputs.map(({ key, prediction, count, fields }) => {
    const input = fields ? fields.map(({ name, value }) => `${name}: ${value}`).join(", ") : element("code", key);
    return row([input, prediction ?? "all", whole(count)]);
  });
  rows("inputs", made, "No input yet.");
  const hidden = inputs.length > 0 && inputs.every(({ fields }) => !fields);
  part("inputs-note").textContent = hidden ? "Since the start, at least. Inputs are named by a digest of their key; DASHBOARD_INPUTS=show shows their fields." : "Since the start, at least.";
}

function show(data) {
  part("model").textContent = `${data.model} · ${data.fingerprint}`;
  showTiles(data);
  showChart(data.minutes, data.window_seconds);
  showLatency(data.latency);
  rows("errors", data.errors.map(({ title, count }) => row([title, whole(count)])), "None.");
  showProcess(data);
  showInputs(data.inputs);
}

// --- Updates -----------------------------------------------------------------------------------

async function update() {
  const state = part("state");
  try {
    const answer = await fetch("dashboard/data", { signal: AbortSignal.timeout(EVERY) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    show(await answer.json());
    state.textContent = `as of ${new Date().toLocaleTimeString("en-GB")}`;
    state.className = "";
  } catch (error) {
    state.textContent = `no answer: ${error.message}`;
    state.className = "lost";
  }
  setTimeout(update, EVERY);
}

update();
