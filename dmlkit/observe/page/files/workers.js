// Workers over time, with the stages above them on the same axis.

import { h } from "./build.js";
import { crowd, lanePicture } from "./draw.js";
import { bytes, clock, duration } from "./words.js";

const MOST = 24;
const LEGEND = { b: ["busy", "--busy"], i: ["idle", "--idle"], s: ["spilling", "--spill"], p: ["paused", "--paused"], f: ["silent", "--silent"] };

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400];

function ticks(start, span) {
  const step = STEPS.find((one) => span / one <= 5.5) ?? STEPS.at(-1);
  const found = [h("span", {}, clock(start))];
  for (let at = step; at < span * 0.97; at += step) {
    if (at / span < 0.12) continue;
    // Where the page is narrow, it would run into the time of the start.
    found.push(h("span", { class: at / span < 0.34 ? "near" : "", style: { left: `${(100 * at) / span}%` } }, `+${at < 100 ? `${at} s` : duration(at)}`));
  }
  return h("div", { class: "ticks", "aria-hidden": "true" }, found);
}

function stageStrip(run, start, span, now) {
  const drawn = run.stages.filter((stage) => stage.started).map((stage) => {
    const from = Math.max(0, stage.started - start);
    const going = ["running", "stalled"].includes(stage.state);
    const width = ((going ? now - stage.started : stage.seconds) / span) * 100;
    return h("span", { class: `span ${stage.number % 2 ? "odd" : ""} ${stage.state}`, title: `${stage.name}, ${duration(stage.seconds)}`, style: { left: `${(from / span) * 100}%`, width: `${Math.min(width, 100)}%` } }, width > 4 ? stage.name : "");
  });
  return h("div", { class: "strip stage-strip" }, drawn);
}

function state(worker) {
  if (worker.state === "busy" && !worker.processing) return "busy, training";
  if (worker.state === "busy") return `busy, ${worker.processing} ${worker.processing === 1 ? "task" : "tasks"}`;
  return { away: "lost", gone: "left" }[worker.state] ?? worker.state;
}

// The axis goes on for ever; once a run is over and workers rest, the picture stops.
function shownBuckets(story, run) {
  const { start, step, count } = story.axis;
  if (!run || run.state === "running") return Math.max(count, 1);
  const busy = Math.max(...story.workers.map((worker) => worker.lane.search(/[^.i][.i]*$/)));
  const lost = story.losses.filter((loss) => loss.time >= start).map((loss) => (loss.time - start) / step);
  const last = Math.max(busy, (run.ended - start) / step, ...lost);
  return Math.min(count, Math.ceil(last * 1.02) + 2);
}

function row(worker, losses, axis, count) {
  const span = count * axis.step;
  const mine = losses.filter((loss) => loss.place === worker.id && loss.time >= axis.start);
  const share = worker.memory_limit ? worker.memory / worker.memory_limit : 0;
  const spoken = `Worker ${worker.name}: ${state(worker)}; ${mine.length ? mine.map((loss) => `${loss.text} at ${clock(loss.time)}`).join("; ") : "never lost"}`;
  const there = !["away", "gone"].includes(worker.state);
  return h("tr", { class: worker.state, "data-key": `w${worker.id}` },
    h("th", { scope: "row", class: "who", title: worker.address }, worker.name.length > 18 ? worker.address.replace(/^\w+:\/\//, "") : `worker ${worker.name}`),
    h("td", { class: "time" }, h("div", { class: "strip", role: "img", "aria-label": spoken }, lanePicture(worker.lane, count),
      mine.map((loss) => h("span", { class: loss.expected ? "cross planned" : "cross", title: `${clock(loss.time)}: ${loss.text}`, style: { left: `${Math.min(99, ((loss.time - axis.start) / span) * 100)}%` } }, "✕")))),
    h("td", { class: "what" }, state(worker)),
    h("td", { class: "mem number" }, there ? [`${bytes(worker.memory)} of ${bytes(worker.memory_limit)}`,
      h("span", { class: "gauge" }, h("span", { class: share > 0.8 ? "high" : null, style: { width: `${Math.min(100, share * 100)}%` } }))] : ""));
}

export function workers(story, run) {
  if (!story.workers.length) return h("section", {}, h("h2", {}, "Workers"), h("p", { class: "empty" }, "There are none."));
  const axis = story.axis, count = shownBuckets(story, run), span = count * axis.step;
  const rank = (worker) => [worker.losses > 0 ? 0 : 1, ["paused", "spilling", "silent"].includes(worker.state) ? 0 : 1, worker.id];
  const order = [...story.workers];
  if (order.length > MOST) order.sort((one, other) => { const a = rank(one), b = rank(other); return a[0] - b[0] || a[1] - b[1] || a[2] - b[2]; });
  const few = order.slice(0, MOST), more = order.length - few.length;
  const present = new Set(story.workers.flatMap((worker) => Object.keys(LEGEND).filter((letter) => worker.lane.includes(letter))));
  return h("section", { "aria-labelledby": "workers" },
    h("h2", { id: "workers" }, "Workers ", h("span", { class: "quiet" }, more > 0 ? `${order.length}; those with trouble first` : "over time")),
    h("table", { class: "lanes" },
      h("colgroup", {}, ["who", "time", "what", "mem"].map((name) => h("col", { class: name }))),
      h("thead", { class: "unseen" }, h("tr", {}, ["Worker", "Time line", "Now", "Memory"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {},
        h("tr", {}, h("td", { class: "who" }), h("td", { class: "time" }, ticks(axis.start, span)), h("td", { class: "what" }), h("td", { class: "mem" })),
        run && h("tr", {}, h("th", { scope: "row", class: "who quiet" }, "stage"), h("td", { class: "time" }, stageStrip(run, axis.start, span, story.time)), h("td", { class: "what" }), h("td", { class: "mem" })),
        few.map((worker) => row(worker, story.losses, axis, count)))),
    more > 0 && crowd(order.slice(MOST), count),
    h("ul", { class: "legend" }, Object.entries(LEGEND).filter(([letter]) => present.has(letter)).map(([, [name, colour]]) => h("li", { style: { "--swatch": `var(${colour})` } }, name)),
      story.losses.some((loss) => loss.time >= axis.start && !loss.expected) && h("li", { class: "lost" }, "lost")));
}
