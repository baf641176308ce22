// Waiting for what comes in its own time.

import { setTimeout as pause } from "node:timers/promises";

const DEADLINE_MS = 30_000;
const PAUSE_MS = 20;

/** What `condition` gives, as soon as that is true; an error that names `what`, when it never is. */
export async function eventually(what, condition) {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const seen = await condition();
    if (seen) return seen;
    if (performance.now() > deadline) throw new Error(`never came: ${what}`);
    await pause(PAUSE_MS);
  }
}

/** Lets the clock go on, so that what comes before and what comes after differ in their time. */
export async function momentLater() {
  await pause(PAUSE_MS);
}
