// Runs the snippet on each case that stands in cases.json, and prints what it says.
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";

import { verify } from "./snippet.mjs";

for (const { name, secret, headers, body } of JSON.parse(readFileSync("cases.json", "utf8"))) {
  let verdict = "refused";
  try {
    const event = verify(secret, headers, Buffer.from(body));
    verdict = isDeepStrictEqual(event, JSON.parse(body)) ? "accepted" : `returned ${event}`;
  } catch (refusal) {
    console.error(`${name}: ${refusal}`);
  }
  console.log(`${name}: ${verdict}`);
}
