// What goes on now: the run, its stages, its training, and what went wrong in it.

import { h } from "./build.js";
import { curves } from "./draw.js";
import { bytes, clock, duration, figure, named, plural, range, rounded, table, whole } from "./words.js";

const STATES = { running: "running", done: "done", failed: "failed", stopped: "stopped", abandoned: "abandoned" };
const MARKS = { waiting: "○", running: "●", stalled: "‖", done: "✓", resumed: "↻", failed: "✕" };
const OUTCOMES = {
  "went on": (loss) => loss.lost_tasks
    ? `${plural(loss.recomputed, "result", "results")} computed again in ${duration(loss.seconds)}; the job went on`
    : `${plural(loss.running_tasks, "running task", "running tasks")} started again elsewhere; the job went on`,
  "computing again": (loss) => `${whole(loss.recomputed)} of ${plural(loss.lost_tasks, "lost result", "lost results")} computed again so far`,
  "nothing lost": () => "nothing was lost with it",
  "given up": (loss) => `${plural(loss.lost_tasks, "result", "results")} lost, which nobody wanted any more`,
  failed: () => "a task failed for it",
};

export const outcome = (loss) => OUTCOMES[loss.outcome](loss);

// The restart of a training that a loss led to, in words.
export function restartOf(story, loss) {
  const restart = story.trainings.flatMap((one) => one.restarts).find((one) => one.worker === loss.worker && Math.abs(one.time - loss.time) < 120);
  if (!restart) return null;
  return `training went on from round ${whole(restart.resumed_round)}${restart.seconds_lost === null ? "" : `, ${duration(restart.seconds_lost)} lost`}`;
}

export function bar(story, behind) {
  const cluster = story.cluster;
  return [
    h("strong", {}, "dmlkit"),
    h("span", { class: behind ? "stale" : "live" }, behind ? "no answer" : clock(story.time)),
    h("span", {}, `${plural(cluster.workers, "worker", "workers")}, ${plural(cluster.threads, "thread", "threads")}`),
    h("span", {}, `memory ${bytes(cluster.memory)} of ${bytes(cluster.memory_limit)}`),
    h("span", {}, `${plural(cluster.processing, "task", "tasks")} running`),
    h("a", { href: "status" }, "Dask’s dashboard"),
  ];
}

export function hero(story, run) {
  if (!run) {
    return h("section", { class: "hero" }, h("h1", {}, "No workflow has run yet"),
      h("p", { class: "empty" }, "Start one with ", h("code", {}, `dmlkit run NAME --scheduler ${story.cluster.address}`), " and it is told of here. Workers are watched already."));
  }
  const lost = story.losses.filter((loss) => loss.workflow === run.id && !loss.expected);
  const restarts = story.trainings.filter((one) => one.workflow === run.id).flatMap((one) => one.restarts);
  const current = run.stages.find((stage) => ["running", "stalled"].includes(stage.state));
  const where = run.state === "running" && current ? `stage ${current.number} of ${run.stages.length}, ${current.name}${current.state === "stalled" ? ", stalled" : ""}` : STATES[run.state];
  const by = [run.user && run.host ? `${run.user} on ${run.host}` : run.user || run.host, run.data, `since ${clock(run.started)}`].filter(Boolean).join(" · ");
  const left = run.state === "running" ? range(run.left) : null;
  const numbers = [
    run.share !== null && ["done", `${Math.round(run.share * 100)}%`],
    left && ["left", left],
    ["so far", duration(run.seconds)],
    lost.length && ["lost", whole(lost.length), lost.length === 1 ? "worker" : "workers"],
    restarts.length && ["resumed", whole(restarts.length), "× training"],
  ].filter(Boolean);
  const labels = { done: "done", left: "left", "so far": run.state === "running" ? "so far" : "in all", lost: lost.length === 1 ? "worker lost" : "workers lost", resumed: restarts.length === 1 ? "training restart" : "training restarts" };
  return h("section", { class: "hero", "aria-label": "The workflow" },
    h("div", { class: "top" },
      h("div", {}, h("h1", {}, run.name), h("p", { class: "state" }, h("b", {}, where), ` · ${by}`)),
      h("div", { class: "figures" }, numbers.map(([key, value]) => h("div", { class: ["lost", "resumed"].includes(key) ? "bad" : null }, h("span", {}, labels[key]), h("b", {}, value))))),
    run.error && h("p", { class: "error" }, run.error));
}

// Above everything else: what was lost since this run began, and what is amiss at this moment.
export function alerts(story, run) {
  const since = run ? run.started : story.time - 600;
  const lost = story.losses.filter((loss) => !loss.expected && loss.time >= since);
  const amiss = story.warnings.filter((warning) => !["notice", "training-restart"].includes(warning.kind) && warning.last > story.time - 5);
  if (!lost.length && !amiss.length) return null;
  return h("section", { class: "trouble", "aria-label": "What went wrong" },
    lost.length > 0 && h("ul", { class: "alerts" }, lost.slice(0, 3).map((loss) => h("li", {},
      h("span", { class: "when" }, clock(loss.time)), h("span", {}, h("b", {}, named(loss.name)), ` ${loss.text}`), h("span", { class: "quiet" }, [outcome(loss), restartOf(story, loss)].filter(Boolean).join("; ")))),
    lost.length > 3 && h("li", {}, h("a", { href: "#losses" }, `and ${lost.length - 3} more`))),
    amiss.length > 0 && h("ul", { class: "cautions" }, amiss.slice(0, 3).map((warning) => h("li", {}, warning.text))));
}

// Rows on their way. How many there will be is known only when all partitions are done.
function flow(one) {
  const going = one.parts < one.parts_total && one.rows_total !== null;
  const of = going ? ` of about ${rounded(one.rows_total)}` : "";
  const speed = going && one.rows_per_second ? `, ${rounded(one.rows_per_second)} rows a second` : "";
  return `${rounded(one.rows)}${of} rows ${one.what} (${bytes(one.bytes)})${speed}${going && one.left ? `, ${range(one.left)} for these` : ""}`;
}

function facts(stage) {
  if (stage.state === "waiting") return "";
  const told = [];
  if (["running", "stalled"].includes(stage.state)) {
    if (stage.tasks_total) told.push(`${whole(stage.tasks_done)} of ${plural(stage.tasks_total, "task", "tasks")}`);
    if (stage.state === "stalled") told.push(`nothing has ended for ${duration(stage.quiet)}`);
    else if (stage.left && stage.tasks_per_second) told.push(`${stage.tasks_per_second < 10 ? stage.tasks_per_second.toFixed(1) : whole(stage.tasks_per_second)} a second`);
    if (stage.left && stage.state === "running") told.push(`${range(stage.left)} left`);
    told.push(...stage.flows.map(flow));
  } else {
    if (stage.rows !== null) told.push(plural(stage.rows, "row", "rows"));
    if (stage.bytes !== null) told.push(bytes(stage.bytes));
    if (stage.state === "resumed") told.push("taken over from an earlier run");
  }
  return told.join(", ");
}

export function stages(run) {
  return h("section", {}, h("h2", {}, "Stages"), h("ol", { class: "stages" }, run.stages.map((stage) => {
    const share = stage.tasks_total ? stage.tasks_done / stage.tasks_total : 0;
    const going = ["running", "stalled"].includes(stage.state);
    return h("li", { class: stage.state, "data-key": stage.name },
      h("span", { class: "mark", "aria-hidden": "true" }, MARKS[stage.state]),
      h("span", { class: "name" }, stage.name, h("span", { class: "unseen" }, `: ${stage.state}`)),
      h("span", { class: "facts" },
        going && stage.tasks_total > 0 && h("span", { class: "track", role: "progressbar", "aria-label": `${stage.name}: tasks done`, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(share * 100) }, h("span", { style: { width: `${share * 100}%` } })),
        facts(stage)),
      h("span", { class: "took" }, stage.state === "waiting" ? "" : duration(stage.seconds)));
  })));
}

function restarted(restarts) {
  const lost = restarts.reduce((sum, one) => sum + (one.seconds_lost ?? 0), 0);
  return `▼ ${plural(restarts.length, "restart", "restarts")}${restarts.every((one) => one.seconds_lost !== null) ? `, ${duration(lost)} lost` : ""}`;
}

const moment = (seconds) => (seconds < 1 ? `${Math.round(seconds * 1000)} ms` : duration(seconds));

// Searches for parameters: those that go on, and the last one that is over.
export function searches(story) {
  const shown = story.searches.filter((one, at) => one.state === "running" || at === 0);
  if (!shown.length) return null;
  return h("section", {}, h("h2", {}, "Search for parameters"), shown.map((one) => {
    const share = one.total ? one.done / one.total : 0;
    const told = [
      `${whole(one.done)} of ${plural(one.total, "trial", "trials")}`,
      `${whole(one.pruned)} pruned`,
      one.failed > 0 && `${whole(one.failed)} failed`,
      one.best !== null && `best ${one.metric} ${figure(one.best)}`,
      duration(one.seconds),
    ].filter(Boolean).join(", ");
    return h("div", { "data-key": one.id }, h("p", {}, told),
      one.state === "running" && h("span", { class: "track", role: "progressbar", "aria-label": "trials done", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(share * 100) }, h("span", { style: { width: `${share * 100}%` } })));
  }));
}

// Who does how much: in each round all wait for the slowest.
function efforts(story, training) {
  if (training.efforts.length < 2) return null;
  const whole = Math.max(training.seconds_per_round ?? 0, training.efforts[0].seconds);
  const name = (effort) => story.workers.find((worker) => worker.address === effort.worker)?.name ?? effort.worker;
  return h("table", { class: "efforts" },
    h("thead", {}, h("tr", {}, ["Worker", "Rows", "Works in a round"].map((title) => h("th", { scope: "col" }, title)))),
    h("tbody", {}, training.efforts.slice(0, 8).map((effort, at) => h("tr", { "data-key": effort.worker },
      h("th", { scope: "row" }, `worker ${name(effort)}`), h("td", {}, `${rounded(effort.rows)} (${Math.round(effort.share * 100)}%)`),
      h("td", {}, `${moment(effort.seconds)} of ${moment(whole)}${at ? "" : ", the slowest"}`,
        h("span", { class: "gauge" }, h("span", { style: { width: `${(100 * effort.seconds) / whole}%` } })))))));
}

export function training(story, run, width) {
  const shown = story.trainings.find((one) => one.workflow === run.id && one.curves.length);
  if (!shown) return null;
  const metrics = Map.groupBy
    ? [...Map.groupBy(shown.curves, (curve) => curve.metric).values()]
    : [shown.curves];
  const share = shown.total ? shown.round / shown.total : 0;
  const going = shown.state === "running" || shown.state === "restarting";
  const early = !going && shown.early_stop && shown.round < shown.total;
  const told = [
    `${early ? "stopped early at round" : "round"} ${whole(shown.round)} of ${whole(shown.total)}`,
    shown.seconds_per_round >= 0.001 && `${shown.seconds_per_round < 1 ? `${Math.round(shown.seconds_per_round * 1000)} ms` : duration(shown.seconds_per_round)} each`,
    shown.state === "restarting" && "starting again after a failure",
    shown.state === "running" && shown.left && `${range(shown.left)} left`,
    shown.state === "running" && shown.early_stop && shown.early_stop.at < shown.total && `stops at ${whole(shown.early_stop.at)} if no better`,
    Object.keys(shown.workers).length > 1 && `${Object.keys(shown.workers).length} workers`,
  ].filter(Boolean).join(", ");
  return h("section", {}, h("h2", {}, "Training ", h("span", { class: "quiet" }, told)),
    going && h("span", { class: "track", role: "progressbar", "aria-label": "rounds done", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(share * 100) }, h("span", { style: { width: `${share * 100}%` } })),
    h("div", { class: "charts" }, metrics.slice(0, 3).map((drawn) => h("figure", {},
      h("figcaption", {}, h("b", {}, drawn[0].metric), drawn.map((curve, at) => h("span", { class: at ? "key second" : "key" }, `${table(curve.table)} ${figure(curve.last)}`)),
        h("span", { class: "key dot" }, `best ${figure(drawn.at(-1).best)} in round ${whole(drawn.at(-1).best_round)}`),
        shown.restarts.length > 0 && h("span", { class: "again" }, restarted(shown.restarts))),
      curves(drawn, shown, Math.max(280, Math.floor(width)))))),
    efforts(story, shown));
}
