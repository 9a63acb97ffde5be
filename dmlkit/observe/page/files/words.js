// Numbers, times and names in words.

export const whole = (value) => Math.round(value).toLocaleString("en");

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 10) {
    const rest = Math.floor(seconds % 60);
    return `${Math.floor(seconds / 60)} min${rest ? ` ${rest} s` : ""}`;
  }
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.round(hours / 24)} days`;
}

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) { value /= 1024; unit += 1; }
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function range(left) {
  if (!left) return null;
  if (left.high < 2) return "a moment";
  const low = duration(left.low), high = duration(left.high);
  if (low === high) return high;
  const unit = (text) => text.split(" ").slice(1).join(" ");
  return unit(low) === unit(high) && !unit(low).includes(" ")
    ? `${low.split(" ")[0]}–${high}` : `${low} – ${high}`;
}

export const clock = (time) => new Date(time * 1000).toLocaleTimeString("en-GB");

export function figure(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1000 || size < 0.0001 ? value.toPrecision(3) : value.toFixed(size < 10 ? 4 : 1);
}

export const plural = (count, one, many) => `${whole(count)} ${count === 1 ? one : many}`;

// A count in three digits: of rows that go by, more would only flicker.
export function rounded(count) {
  const units = ["", "k", "M", "G", "T"];
  let unit = 0;
  while (count >= 999.5 && unit < units.length - 1) { count /= 1000; unit += 1; }
  return `${unit ? Number(count.toPrecision(3)) : Math.round(count)}${units[unit]}`;
}

// "killed with SIGKILL, by hand …" begins a sentence about a worker.
export const named = (worker) => `Worker ${worker.length > 28 ? `${worker.slice(0, 27)}…` : worker}`;

export const table = (name) => ({ validation_0: "validation", train: "training" })[name] ?? name;
