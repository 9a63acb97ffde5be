// What has happened: losses with their causes, warnings, and earlier runs.

import { h } from "./build.js";
import { outcome, restartOf } from "./now.js";
import { bytes, clock, duration, plural, whole } from "./words.js";

const TAGS = { "went on": "good", "nothing lost": "good", "computing again": "wait", failed: "bad", "given up": "plain" };

function held(loss) {
  const parts = [
    loss.held_tasks > 0 && `held ${plural(loss.held_tasks, "result", "results")} (${bytes(loss.held_bytes)})`,
    loss.running_tasks > 0 && `ran ${plural(loss.running_tasks, "task", "tasks")}`,
  ].filter(Boolean);
  return parts.length ? parts.join(", ") : "held nothing, ran nothing";
}

function cost(story, loss) {
  const parts = [restartOf(story, loss)].filter(Boolean);
  if (loss.lost_tasks) parts.push(`${whole(loss.recomputed)} of ${plural(loss.lost_tasks, "result", "results")} computed again: ${duration(loss.recompute_seconds)} of computing`);
  if (loss.seconds !== null) parts.push(`made up for after ${duration(loss.seconds)}`);
  if (loss.back_after !== null) parts.push(`a new worker after ${duration(loss.back_after)}`);
  return parts.join("; ") || "nothing";
}

export function losses(story) {
  if (!story.losses.length) return null;
  const total = Object.values(story.loss_counts).reduce((sum, one) => sum + one, 0);
  return h("section", { "aria-labelledby": "losses" },
    h("h2", { id: "losses" }, "Workers that went ", h("span", { class: "quiet" }, total > story.losses.length ? `the last ${story.losses.length} of ${whole(total)}` : "")),
    h("table", { class: "losses" },
      h("thead", {}, h("tr", {}, ["When", "Worker and cause", "What it held", "What it cost", "The job"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, story.losses.map((loss) => h("tr", { class: loss.expected ? "planned" : null, "data-key": `l${loss.id}` },
        h("td", { class: "quiet" }, clock(loss.time)),
        h("th", { scope: "row" }, `${loss.name.length > 28 ? loss.worker : `worker ${loss.name}`}: `, h("span", { class: "cause" }, loss.text),
          h("details", {}, h("summary", {}, "How this is known"), h("ul", {}, loss.evidence.map((line) => h("li", {}, line)), h("li", {}, loss.worker)))),
        h("td", {}, held(loss), loss.stage && h("small", {}, `in stage ${loss.stage}`), loss.prefixes.length > 0 && h("small", {}, loss.prefixes.map(([name, count]) => `${name} × ${count}`).join(", "))),
        h("td", {}, cost(story, loss)),
        h("td", {}, h("span", { class: `tag ${TAGS[loss.outcome]}`, title: outcome(loss) }, loss.outcome)))))));
}

export function warnings(story) {
  if (!story.warnings.length) return null;
  return h("section", { "aria-labelledby": "warnings" }, h("h2", { id: "warnings" }, "Warnings"),
    h("table", {}, h("thead", { class: "unseen" }, h("tr", {}, h("th", { scope: "col" }, "When"), h("th", { scope: "col" }, "Warning"))),
      h("tbody", {}, story.warnings.slice(0, 30).map((warning) => h("tr", { "data-key": `${warning.kind}${warning.first}` },
        h("td", { class: "quiet" }, clock(warning.last)), h("td", {}, warning.text, warning.count > 1 && h("small", {}, `${whole(warning.count)} times since ${clock(warning.first)}`)))))));
}

export function runs(story) {
  if (!story.workflows.length) return null;
  return h("section", { "aria-labelledby": "runs" }, h("h2", { id: "runs" }, "Runs"),
    h("table", { class: "runs" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Workflow"), h("th", { scope: "col" }, "Began"), h("th", { scope: "col", class: "number" }, "Took"), h("th", { scope: "col", class: "wide" }, "Results"), h("th", { scope: "col" }, "State"))),
      h("tbody", {}, story.workflows.map((run) => h("tr", { "data-key": run.id },
        h("th", { scope: "row" }, run.name, run.error && h("small", {}, run.error)),
        h("td", {}, clock(run.started)), h("td", { class: "number" }, duration(run.seconds)),
        h("td", { class: "wide" }, run.state === "done" ? h("a", { href: `dmlkit/report/${run.id}` }, "report") : "", h("small", {}, run.out)),
        h("td", {}, h("span", { class: `tag ${{ done: "good", running: "wait" }[run.state] ?? "bad"}` }, run.state)))))));
}
