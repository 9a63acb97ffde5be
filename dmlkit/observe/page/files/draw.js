// Pictures: learning curves, and the lanes of workers.

import { s } from "./build.js";
import { figure, table } from "./words.js";

function steps(low, high, count) {
  const raw = (high - low) / count || Math.abs(high) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one >= raw);
  const found = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-6; tick += step) found.push(tick);
  return found;
}

// One metric on the rows it is told of, by round; `training` has restarts and early stopping.
export function curves(drawn, training, width) {
  const height = 250, left = 50, right = 10, top = 14, bottom = 26;
  const going = ["running", "restarting"].includes(training.state);
  const stop = going && training.early_stop?.metric === drawn.at(-1).name ? training.early_stop : null;
  const last = Math.max(...drawn.map((curve) => curve.points.at(-1)?.[0] ?? 1));
  const until = Math.max(last, stop ? stop.at : 1, 2);
  const values = drawn.flatMap((curve) => curve.points.map((point) => point[1]));
  let low = Math.min(...values), high = Math.max(...values);
  const margin = (high - low || Math.abs(high) || 1) * 0.08;
  low -= margin; high += margin;
  const x = (round) => left + ((width - left - right) * (round - 1)) / (until - 1);
  const y = (value) => top + ((height - top - bottom) * (high - value)) / (high - low);
  const path = (points) => points.map(([round, value], at) => `${at ? "L" : "M"}${x(round).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  const parts = [];
  for (const tick of steps(low, high, 4)) {
    parts.push(s("path", { class: "grid", d: `M${left} ${y(tick)}H${width - right}` }),
      s("text", { x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, figure(Number(tick.toPrecision(6))).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "")));
  }
  for (const tick of steps(1, until, 5)) {
    if (Number.isInteger(tick) && x(tick) > left + 50) parts.push(s("text", { x: x(tick), y: height - 8, "text-anchor": tick > until * 0.95 ? "end" : "middle" }, String(tick)));
  }
  parts.push(s("text", { x: left, y: height - 8, "text-anchor": "start" }, "round"));
  if (stop) parts.push(s("path", { class: "stop", d: `M${x(stop.at)} ${top}V${height - bottom}` }, s("title", {}, `stops at round ${stop.at} if no better`)));
  for (const restart of training.restarts) {
    const at = x(Math.max(restart.round, 1));
    parts.push(s("path", { class: "retry", d: `M${at} ${top}V${height - bottom}` }),
      s("path", { class: "retry-mark", d: `M${at - 6} ${top - 6}h12l-6 9z` },
        s("title", {}, `${restart.reason} Again from round ${restart.resumed_round}.`)));
  }
  drawn.forEach((curve, at) => parts.push(s("path", { class: at ? "curve second" : "curve", d: path(curve.points) })));
  const judged = drawn.at(-1);
  parts.push(s("circle", { class: "best", cx: x(judged.best_round), cy: y(judged.best), r: 5 }));
  const spoken = drawn.map((curve) => `${table(curve.table)} ${curve.metric} ${figure(curve.last)}, best ${figure(curve.best)} in round ${curve.best_round}`).join("; ");
  return s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": spoken }, parts);
}

// The runs of one state of a lane as one path: a unit wide for each bucket of the axis.
export function lane(letters, count, top = 0, height = 1) {
  const paths = {};
  for (let from = 0; from < letters.length;) {
    let to = from;
    while (letters[to] === letters[from]) to += 1;
    if (letters[from] !== ".") paths[letters[from]] = `${paths[letters[from]] ?? ""}M${from} ${top}h${to - from}v${height}H${from}z`;
    from = to;
  }
  return paths;
}

export function lanePicture(letters, count) {
  const drawn = Object.entries(lane(letters, count)).map(([state, d]) => s("path", { class: `l-${state}`, d }));
  return s("svg", { viewBox: `0 0 ${Math.max(count, 1)} 1`, preserveAspectRatio: "none", "aria-hidden": "true" }, drawn);
}

// All lanes of a large cluster in one picture, a few pixels each.
export function crowd(workers, count) {
  const all = {};
  workers.forEach((worker, row) => {
    for (const [state, d] of Object.entries(lane(worker.lane, count, row + 0.1, 0.8))) all[state] = (all[state] ?? "") + d;
  });
  const height = Math.min(420, Math.max(60, workers.length * 2));
  return s("svg", { class: "crowd", width: "100%", height, viewBox: `0 0 ${Math.max(count, 1)} ${workers.length}`, preserveAspectRatio: "none", role: "img", "aria-label": `What ${workers.length} workers did over time` },
    Object.entries(all).map(([state, d]) => s("path", { class: `l-${state}`, d })));
}
