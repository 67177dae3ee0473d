"use strict";

const EVERY_MS = 500, FLASH_MS = 2000, KEPT_REQUESTS = 200;
const find = (id) => document.getElementById(id);
const rows = new Map();
let run = null, after = 0, turn = 0, timer = 0, seenBefore = false;

function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
}

function makeButton(text, name, click) {
  const button = make("button", name, text);
  button.type = click ? "button" : "submit";
  if (click) button.addEventListener("click", click);
  return button;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function flash(element) {
  element.classList.remove("changed");
  void element.offsetWidth;
  element.classList.add("changed");
  clearTimeout(element.flashing);
  element.flashing = setTimeout(() => element.classList.remove("changed"), FLASH_MS);
}

function say(id, text, { error = false } = {}) {
  find(id).textContent = text;
  find(id).classList.toggle("error", error);
}

// Requests to the emulator

async function poll() {
  clearTimeout(timer);
  const mine = ++turn;
  const query = new URLSearchParams({ after, filter: find("filter").value });
  try {
    const answer = await fetch(`/emulator/state?${query}`, { signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) throw new Error(answer.statusText);
    const state = await answer.json();
    if (mine === turn) show(state);
  } catch (error) {
    if (mine === turn) showConnection("lost", "The emulator does not answer");
  } finally {
    if (mine === turn) timer = setTimeout(poll, EVERY_MS);
  }
}

async function post(path, body, message) {
  let error = "The emulator does not answer: see whether it still runs.";
  try {
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    const answer = await fetch(`/emulator/${path}`, options);
    error = answer.ok ? "" : (await answer.json()).error;
  } catch {
    // What `error` says already.
  }
  if (message) say(message, error, { error: true });
  const shown = poll();
  if (!error) await shown; // so that the line shows its new number before a message says so
  return !error;
}

// Showing

function show(state) {
  if (run !== null && state.run !== run) {
    forgetLog();
    after = 0;
    run = state.run;
    poll();
    return;
  }
  run = state.run;
  showConnection("live", "Live");
  setText(find("url"), state.url);
  document.title = `Linq emulator ${new URL(state.url).host}`;
  showLines(state);
  showRequests(state);
  showFaults(state.faults);
  seenBefore = true;
}

function showConnection(value, text) {
  if (find("connection").dataset.state !== value) find("connection").dataset.state = value;
  setText(find("connection"), text);
}

function showLines(state) {
  const count = (number) => number.toLocaleString("en");
  setText(find("line-counts"), `${count(state.line_count)} in all, ${count(state.forwarded_count)} forwarded`);
  const shown = new Set(state.lines.map((line) => line.id));
  for (const [id, row] of rows) if (!shown.has(id)) { row.remove(); rows.delete(id); }
  state.lines.forEach(showLine);
  putInOrder(find("lines"), state.lines.map((line) => rows.get(line.id)));
  const hidden = state.matching_count - state.lines.length;
  const note = !state.line_count ? "This account has no lines."
    : !state.matching_count ? "No line matches the filter."
    : hidden ? `The first ${state.lines.length} of ${count(state.matching_count)}: filter by number or id to see others.` : "";
  setText(find("lines-note"), note);
  find("lines-note").hidden = !note;
}

function putInOrder(list, elements) {
  elements.forEach((element, index) => {
    if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null);
  });
}

function showLine(line) {
  const row = rows.get(line.id) ?? makeRow(line);
  const known = row.dataset.forwardingNumber, now = line.forwarding_number ?? "";
  if (known === now) return;
  row.dataset.forwardingNumber = now;
  row.target.textContent = now || "not forwarded";
  row.target.className = now ? "number" : "none";
  if (known !== undefined) flash(row);
}

function makeRow(line) {
  const row = make("tr"), name = make("th"), target = make("td"), action = make("td");
  name.scope = "row";
  name.append(make("span", "number", line.phone_number), make("span", "id number", line.id));
  row.target = make("span");
  target.append(row.target);
  const change = makeButton("Change", "", () => edit(row, line, change));
  change.setAttribute("aria-label", `Change where ${line.phone_number} forwards`);
  action.append(change);
  row.append(name, target, action);
  rows.set(line.id, row);
  return row;
}

function edit(row, line, change) {
  const [, target, action] = row.cells, form = make("form"), input = make("input");
  input.setAttribute("aria-label", `Forward ${line.phone_number} to; empty for none`);
  input.type = "tel";
  input.autocomplete = "off";
  input.placeholder = "none";
  input.value = row.dataset.forwardingNumber;
  const close = () => { target.hidden = false; action.colSpan = 1; action.replaceChildren(change); change.focus(); };
  form.append(input, makeButton("Save", "primary"), makeButton("Cancel", "", close));
  form.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const number = input.value.trim();
    if (!(await post("forwarding", { line: line.id, forwarding_number: number }, "edit-message"))) return input.focus();
    close();
    say("edit-message", `${line.phone_number} was changed by hand: ${number ? `it forwards to ${number}` : "it is not forwarded"}.`);
  });
  target.hidden = true;
  action.colSpan = 2;
  action.replaceChildren(form);
  input.focus();
  input.select();
}

function showRequests(state) {
  for (const item of [...find("log").children]) if (item.number < state.first_request) item.remove();
  const items = state.requests.map(makeRequest);
  find("log").prepend(...items.reverse());
  while (find("log").children.length > KEPT_REQUESTS) find("log").lastChild.remove();
  if (seenBefore) items.forEach(flash);
  after = state.request_count;
  setText(find("request-count"), state.request_count ? `${state.request_count.toLocaleString("en")} since the start` : "");
  find("log-note").hidden = find("log").children.length > 0;
  find("clear-log").disabled = !find("log").children.length;
}

function makeRequest(request) {
  const item = make("li"), at = new Date(request.at * 1000), time = make("time", "", clock(at));
  time.dateTime = at.toISOString();
  item.number = request.number;
  const kind = request.status === null || request.status >= 500 ? "bad" : request.status >= 400 ? "warn" : "ok";
  item.append(time, make("span", "method", request.method),
    make("span", `status ${kind}`, request.status === null ? "no answer" : String(request.status)), describe(request),
    make("span", "path", request.token === "default" ? request.path : `${request.path} (${request.token ?? "no valid key"})`));
  return item;
}

function describe(request) {
  const what = make("span", "what");
  if (request.phone_number) what.append(make("span", "number", request.phone_number), " ");
  if (request.forwarding_number) what.append("to ", make("span", "number", request.forwarding_number));
  else if (request.forwarding_number === "") what.append("cleared");
  if (request.body !== null) what.append(make("code", "", request.body));
  return what;
}

function clock(at) {
  const two = (number) => String(number).padStart(2, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

function showFaults(faults) {
  const items = faults.map((fault) => {
    const times = fault.rate !== null ? `${Math.round(fault.rate * 100)} % of the requests`
      : fault.times === null ? "every request, until cleared"
      : fault.times === 1 ? "the next request" : `the next ${fault.times} requests`;
    const item = make("li", "", `${fault.name} `);
    item.append(make("small", "", fault.method ? `${times}, ${fault.method} only` : times));
    return item;
  });
  const list = find("active-faults");
  if (items.map((item) => item.textContent).join("\n") !== [...list.children].map((item) => item.textContent).join("\n")) {
    list.replaceChildren(...items);
  }
  find("faults-note").hidden = faults.length > 0;
  find("clear-faults").disabled = !faults.length;
}

function forgetLog() {
  find("log").replaceChildren();
}

find("filter").addEventListener("input", poll);
find("clear-log").addEventListener("click", () => post("clear-log", {}));
find("clear-faults").addEventListener("click", () => post("clear-faults", {}, "fault-message"));
for (const button of document.querySelectorAll("button[data-fault]")) {
  button.addEventListener("click", () => post("fault", {
    fault: button.dataset.fault,
    times: Number(find("fault-times").value) || null,
    method: find("fault-method").value || null,
  }, "fault-message"));
}
poll();
