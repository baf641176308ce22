// What every test starts from: a client, and applications, event types, endpoints and receivers of the test's own.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { afterEach } from "node:test";
import { ApiException } from "svix";
import { eventually } from "./patience.mjs";
import { Receiver } from "./receiver.mjs";
import { client } from "./server.mjs";

export const svix = client();

/** Where nobody is expected to call. */
export const ANY_URL = "http://127.0.0.1:9/";

const receivers = [];
afterEach(() => receivers.splice(0).forEach((receiver) => receiver.close()));

export function unique(word) {
  return `${word}-${randomBytes(8).toString("hex")}`;
}

export async function newApplication(fields) {
  return await svix.application.create({ name: "Acme", ...fields });
}

/** The name of a new event type. */
export async function newEventType(fields) {
  const wanted = { name: unique("invoice.paid"), description: "An invoice was paid", ...fields };
  return (await svix.eventType.create(wanted)).name;
}

export async function newReceiver(statuses = [200], says = "thanks") {
  const receiver = await Receiver.answering(statuses, says);
  receivers.push(receiver);
  return receiver;
}

export async function newEndpoint(app, url = ANY_URL, fields = {}) {
  return await svix.endpoint.create(app.id, { url, ...fields });
}

export async function newMessage(app, eventType, fields) {
  return await svix.message.create(app.id, { eventType, payload: { amount: 12 }, ...fields });
}

/** The attempts at a message, newest first, once there are `count`. */
export async function attemptsAt(app, message, count) {
  return await eventually(`attempt ${count} at ${message.id}`, async () => {
    const { data } = await svix.messageAttempt.listByMsg(app.id, message.id);
    return data.length >= count && data;
  });
}

/** What was asked is refused with this status and this code, and with something to read. */
export async function refused(status, code, asked) {
  await assert.rejects(asked, (error) => {
    assert.ok(error instanceof ApiException, error);
    // The SDK does not read what comes with a 5xx.
    const body = typeof error.body === "string" ? JSON.parse(error.body) : error.body;
    assert.deepEqual([error.code, body.code], [status, code]);
    assert.ok(body.detail);
    return true;
  });
}

/** What was asked is refused because of what stands at this place of the request. */
export async function invalid(place, asked) {
  await assert.rejects(asked, (error) => {
    assert.ok(error instanceof ApiException, error);
    assert.equal(error.code, 422);
    const problem = error.body.detail.find(({ loc }) => loc.join(".") === place);
    assert.ok(problem?.msg && problem?.type, JSON.stringify(error.body));
    return true;
  });
}

export function idsOf(page) {
  return page.data.map(({ id }) => id);
}
