// Charts are as wide as their place on the screen. Paper is narrower, and browsers print at once,
// so charts are drawn anew before and after.
function fitCharts(printing) {
  document.documentElement.classList.toggle("printing", printing);
  for (const view of globalThis.Bokeh?.index?.roots ?? []) view.after_resize?.();
}
addEventListener("beforeprint", () => fitCharts(true));
addEventListener("afterprint", () => fitCharts(false));
