// The page: asks for the story once a second, and shows it.

import { h, patch } from "./build.js";
import { alerts, bar, hero, searches, stages, training } from "./now.js";
import { losses, runs, warnings } from "./past.js";
import { workers } from "./workers.js";

const INTERVAL = 1000;
let story = null, heard = 0, spoken = null, trouble = null;

const shown = () => story.workflows[0];

function draw() {
  const behind = (Date.now() - heard) / 1000;
  patch(document.getElementById("bar"), bar(story, trouble && behind));
  const run = shown();
  document.title = run ? `${run.state === "running" && run.share ? `${Math.round(run.share * 100)}% ` : ""}${run.name} – dmlkit` : "dmlkit";
  const main = document.getElementById("main");
  patch(main, [
    trouble && h("p", { class: "old", role: "alert" }, `The scheduler does not answer: what is shown is ${Math.round(behind)} s old.`),
    hero(story, run),
    alerts(story, run),
    run && h("div", { class: "two" }, stages(run), training(story, run, Math.min(main.clientWidth - 30, main.clientWidth > 900 ? main.clientWidth * 0.42 : 900))),
    searches(story),
    workers(story, run),
    losses(story),
    warnings(story),
    runs(story),
  ].filter(Boolean));
  speak();
}

// What a screen reader is told: a new loss, and a workflow that ends.
function speak() {
  const loss = story.losses.find((one) => !one.expected), run = shown();
  const now = [loss?.id, run?.id, run?.state].join();
  if (spoken !== null && now !== spoken) {
    const told = loss && String(loss.id) !== spoken.split(",")[0] ? `Worker ${loss.name}: ${loss.text}.` : run ? `${run.name}: ${run.state}.` : "";
    document.getElementById("spoken").textContent = told;
  }
  spoken = now;
}

async function ask() {
  try {
    const answer = await fetch("dmlkit/api/v1/snapshot", { signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(answer.statusText);
    story = await answer.json();
    heard = Date.now();
    trouble = null;
  } catch (error) {
    trouble = error;
  }
  if (story && (!trouble || Date.now() - heard > 3000)) draw();
  setTimeout(ask, document.hidden ? 5 * INTERVAL : INTERVAL);
}

document.addEventListener("visibilitychange", () => { if (!document.hidden && story) draw(); });
addEventListener("resize", () => story && draw());
ask();
