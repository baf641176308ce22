import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { MessageAttemptTriggerType, MessageStatus, MessageStatusText, StatusCodeClass } from "svix";
import { eventually, momentLater } from "./patience.mjs";
import { urlOfNobody } from "./receiver.mjs";
import {
  attemptsAt,
  idsOf,
  newApplication,
  newEndpoint,
  newEventType,
  newMessage,
  newReceiver,
  refused,
  svix,
  unique,
} from "./world.mjs";

const { messageAttempt } = svix;

// One request, and a retry for each wait of the schedule that the server was started with.
const TRIES = 3;

let app, type;

function eachInAnApplicationOfItsOwn() {
  beforeEach(async () => {
    app = await newApplication({ uid: unique("acme") });
    type = await newEventType();
  });
}

/** A message, and the one attempt that it took. */
async function delivered(fields) {
  const message = await newMessage(app, type, { eventId: unique("paid"), ...fields });
  const [attempt] = await attemptsAt(app, message, 1);
  return [message, attempt];
}

async function byMessage(message, options) {
  return idsOf(await messageAttempt.listByMsg(app.id, message.id, options));
}

async function byEndpoint(endpoint, options) {
  return idsOf(await messageAttempt.listByEndpoint(app.id, endpoint.id, options));
}

async function messagesOf(endpoint, options) {
  return (await messageAttempt.listAttemptedMessages(app.id, endpoint.id, options)).data;
}

/** Waits until the message stands like that at the endpoint. */
async function settled(message, endpoint, status) {
  await eventually(`status ${status} of ${message.id}`, async () =>
    (await messagesOf(endpoint, { status })).some(({ id }) => id === message.id),
  );
}

describe("attempts", () => {
  eachInAnApplicationOfItsOwn();

  test("show what they met", async () => {
    const receiver = await newReceiver([201], "thank you");
    const to = await newEndpoint(app, receiver.url);
    const [message, attempt] = await delivered();

    const found = await messageAttempt.get(app.id, message.id, attempt.id);

    assert.match(found.id, /^atmpt_/);
    assert.deepEqual([found.msgId, found.endpointId, found.url], [message.id, to.id, receiver.url]);
    assert.deepEqual([found.response, found.responseStatusCode], ["thank you", 201]);
    assert.deepEqual([found.status, found.statusText], [MessageStatus.Success, MessageStatusText.Success]);
    assert.equal(found.triggerType, MessageAttemptTriggerType.Scheduled);
    assert.ok(found.responseDurationMs >= 0);
    assert.ok(message.timestamp <= found.timestamp && found.timestamp <= new Date());
  });

  test("show the response only when asked for it", async () => {
    const to = await newEndpoint(app, (await newReceiver([200], "thank you")).url);
    const [message] = await delivered();

    for (const [options, expected] of [[undefined, "{}"], [{ withContent: true }, "thank you"]]) {
      const lists = [
        await messageAttempt.listByMsg(app.id, message.id, options),
        await messageAttempt.listByEndpoint(app.id, to.id, options),
      ];
      assert.deepEqual(lists.map(({ data }) => data[0].response), [expected, expected]);
    }
  });

  test("of a failing receiver show its answers", async () => {
    const to = await newEndpoint(app, (await newReceiver([500, 404, 503])).url);
    const message = await newMessage(app, type);

    const attempts = await attemptsAt(app, message, TRIES);

    assert.deepEqual(attempts.map(({ responseStatusCode }) => responseStatusCode), [503, 404, 500]);
    for (const attempt of attempts) {
      assert.deepEqual([attempt.status, attempt.statusText], [MessageStatus.Fail, MessageStatusText.Fail]);
    }
    await settled(message, to, MessageStatus.Fail);
  });

  test("go on until one succeeds, and are listed by status and by class of status code", async () => {
    const to = await newEndpoint(app, (await newReceiver([500, 200])).url);
    const message = await newMessage(app, type);
    const [second, first] = await attemptsAt(app, message, 2);

    assert.deepEqual([first.responseStatusCode, second.responseStatusCode], [500, 200]);
    assert.deepEqual(await byMessage(message, { status: MessageStatus.Success }), [second.id]);
    assert.deepEqual(await byEndpoint(to, { status: MessageStatus.Fail }), [first.id]);
    assert.deepEqual(await byMessage(message, { statusCodeClass: StatusCodeClass.Code5xx }), [first.id]);
    assert.deepEqual(await byEndpoint(to, { statusCodeClass: StatusCodeClass.Code2xx }), [second.id]);
    assert.deepEqual(await byEndpoint(to, { statusCodeClass: StatusCodeClass.Code4xx }), []);
    await settled(message, to, MessageStatus.Success);
  });

  test("at nobody have no status code", async () => {
    const to = await newEndpoint(app, await urlOfNobody());
    const attempts = await attemptsAt(app, await newMessage(app, type), TRIES);

    assert.deepEqual(attempts.map(({ responseStatusCode }) => responseStatusCode), [0, 0, 0]);
    assert.deepEqual(await byEndpoint(to, { statusCodeClass: StatusCodeClass.CodeNone }), idsOf({ data: attempts }));
  });

  test("are listed by type, by channel, by time and by endpoint", async () => {
    const to = await newEndpoint(app, (await newReceiver()).url, { uid: unique("books") });
    const other = await newEventType();
    const [early, earlyAttempt] = await delivered();
    await momentLater();
    const between = new Date();
    await momentLater();
    const [late, lateAttempt] = await delivered({ eventType: other, channels: ["a"] });

    assert.deepEqual(await byEndpoint(to), [lateAttempt.id, earlyAttempt.id]);
    assert.deepEqual(await byEndpoint(to, { eventTypes: [other] }), [lateAttempt.id]);
    assert.deepEqual(await byEndpoint(to, { channel: "a" }), [lateAttempt.id]);
    assert.deepEqual(await byEndpoint(to, { before: between }), [earlyAttempt.id]);
    assert.deepEqual(await byEndpoint(to, { after: between }), [lateAttempt.id]);
    assert.deepEqual(await byMessage(early, { endpointId: to.uid }), [earlyAttempt.id]);
    assert.deepEqual(idsOf({ data: await messagesOf(to, { channel: "a" }) }), [late.id]);
  });

  test("answer to uids and event ids", async () => {
    const to = await newEndpoint(app, (await newReceiver()).url, { uid: unique("books") });
    const [message, attempt] = await delivered();

    assert.deepEqual(idsOf(await messageAttempt.listByEndpoint(app.uid, to.uid)), [attempt.id]);
    assert.deepEqual(idsOf(await messageAttempt.listByMsg(app.uid, message.eventId)), [attempt.id]);
    assert.deepEqual(idsOf(await messageAttempt.listAttemptedMessages(app.uid, to.uid)), [message.id]);
    assert.deepEqual(idsOf(await messageAttempt.listAttemptedDestinations(app.uid, message.eventId)), [to.id]);
  });

  test("forget what was answered", async () => {
    await newEndpoint(app, (await newReceiver()).url);
    const [message, attempt] = await delivered();

    await messageAttempt.expungeContent(app.id, message.id, attempt.id);
    assert.equal((await messageAttempt.get(app.id, message.id, attempt.id)).response, "EXPUNGED");
  });

  test("are made once more by hand", async () => {
    const receiver = await newReceiver();
    const to = await newEndpoint(app, receiver.url);
    const [message] = await delivered();

    assert.deepEqual(await messageAttempt.resend(app.id, message.id, to.id), {});

    await attemptsAt(app, message, 2);
    await receiver.waitFor(2);
    assert.deepEqual(receiver.ids, [message.id, message.id]);
  });
});

describe("attempted messages and destinations", () => {
  eachInAnApplicationOfItsOwn();

  test("show how the message stands at the endpoint", async () => {
    const good = await newEndpoint(app, (await newReceiver()).url, { description: "Good", eventTypes: [type] });
    const bad = await newEndpoint(app, (await newReceiver([500])).url);
    const message = await newMessage(app, type, { payload: { amount: 3 }, channels: ["a"] });
    await settled(message, good, MessageStatus.Success);
    await settled(message, bad, MessageStatus.Fail);

    const [seen] = await messagesOf(good, { withContent: true });
    assert.deepEqual([seen.id, seen.payload, seen.channels], [message.id, { amount: 3 }, ["a"]]);
    assert.deepEqual([seen.statusText, seen.nextAttempt], [MessageStatusText.Success, null]);
    assert.deepEqual((await messagesOf(good))[0].payload, {});

    const { data } = await messageAttempt.listAttemptedDestinations(app.id, message.id);
    const destinations = Object.fromEntries(data.map((destination) => [destination.id, destination]));
    assert.deepEqual(Object.keys(destinations).sort(), [good.id, bad.id].sort());
    const { url, description, eventTypes } = destinations[good.id];
    assert.deepEqual({ url, description, eventTypes }, { url: good.url, description: "Good", eventTypes: [type] });
    assert.equal(destinations[good.id].status, MessageStatus.Success);
    assert.equal(destinations[bad.id].statusText, MessageStatusText.Fail);
  });

  test("are of one application", async () => {
    await newEndpoint(app, (await newReceiver()).url);
    const [message] = await delivered();
    const other = await newApplication();

    await refused(404, "not_found", messageAttempt.listAttemptedDestinations(other.id, message.id));
    await refused(404, "not_found", messageAttempt.listByMsg(other.id, message.id));
  });
});
