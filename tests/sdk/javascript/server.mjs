// The server under test, and clients of it.

import { Svix } from "svix";
import { Svix as SvixVersion1 } from "svix-version-1";

const URL_OF_SERVER = process.env.HOOKYARD_URL;
const KEY = process.env.HOOKYARD_KEY;

// They do not repeat what fails, so tests see the first answer.
const OPTIONS = { serverUrl: URL_OF_SERVER, retryScheduleInMs: [] };

export const called = new Set();

/** A client that notes which of its methods were called. */
export function client(token = KEY) {
  const svix = new Svix(token, OPTIONS);
  return new Proxy({}, { get: (_, resource) => noting(resource, svix[resource]) });
}

/** A client of the SDK before its second version. */
export function clientOfVersion1() {
  return new SvixVersion1(KEY, OPTIONS);
}

function noting(resource, methods) {
  return new Proxy(methods, {
    get(_, method) {
      called.add(`${resource}.${method}`);
      return methods[method].bind(methods);
    },
  });
}
