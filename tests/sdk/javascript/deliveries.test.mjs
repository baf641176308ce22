import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { beforeEach, describe, test } from "node:test";
import { messageInRaw, Webhook, WebhookVerificationError } from "svix";
import { headersOf } from "./receiver.mjs";
import { newApplication, newEndpoint, newEventType, newMessage, newReceiver, svix } from "./world.mjs";

const PAYLOAD = { z: 1, a: [1.5, 1e100, 0.1], text: 'Grüße, 東京 \u2028 "quoted" \\ / \u0007', none: null, "": {} };

let app, type, receiver;

function eachInAnApplicationOfItsOwn() {
  beforeEach(async () => {
    app = await newApplication();
    type = await newEventType();
    receiver = await newReceiver();
  });
}

async function secretOf(endpoint) {
  return (await svix.endpoint.getSecret(app.id, endpoint.id)).key;
}

function verify(secret, request, headers = request.headers) {
  new Webhook(secret).verify(request.body.toString(), headers);
}

async function delivered() {
  return await receiver.waitForMessage(await newMessage(app, type));
}

describe("deliveries", () => {
  eachInAnApplicationOfItsOwn();

  test("carry the payload byte for byte", async () => {
    await newEndpoint(app, receiver.url);

    const request = await receiver.waitForMessage(await newMessage(app, type, { payload: PAYLOAD }));

    assert.deepEqual([request.method, request.path], ["POST", "/hook"]);
    assert.equal(request.headers["content-type"], "application/json");
    assert.equal(request.body.toString(), JSON.stringify(PAYLOAD));
  });

  test("carry a raw payload byte for byte", async () => {
    await newEndpoint(app, receiver.url);
    const raw = '{ "amount" : 1.50,\n\t"text": "Gr\\u00fc\u00dfe", "amount": 2 }\n';

    const request = await receiver.waitForMessage(await svix.message.create(app.id, messageInRaw(type, raw)));

    assert.equal(request.body.toString(), raw);
  });

  for (const brand of ["svix", "webhook"]) {
    test(`verify by the ${brand} headers alone`, async () => {
      const secret = await secretOf(await newEndpoint(app, receiver.url));
      const message = await newMessage(app, type);

      const request = await receiver.waitForMessage(message);

      const headers = headersOf(brand, request);
      assert.equal(headers[`${brand}-id`], message.id);
      verify(secret, request, headers);
      const changed = { ...request, body: `${request.body} ` };
      assert.throws(() => verify(secret, changed, headers), WebhookVerificationError);
    });
  }

  test("are tried again under the same id", async () => {
    receiver.answerWith(500, 503, 204);
    const secret = await secretOf(await newEndpoint(app, receiver.url));

    const message = await newMessage(app, type);

    const requests = await receiver.waitFor(3);
    assert.deepEqual(receiver.ids, [message.id, message.id, message.id]);
    requests.forEach((request) => verify(secret, request));
  });

  /** Of two messages, sent in turn, the second alone arrives at the receiver, where a third follows it. */
  async function arrivesOnly(wanted, unwanted) {
    const missed = await newMessage(app, unwanted.eventType, unwanted);
    const arrived = [await newMessage(app, wanted.eventType, wanted), await newMessage(app, wanted.eventType, wanted)];

    for (const message of arrived) await receiver.waitForMessage(message);
    assert.ok(!receiver.ids.includes(missed.id));
  }

  test("are of the event types that the endpoint asked for", async () => {
    await newEndpoint(app, receiver.url, { eventTypes: [type] });

    await arrivesOnly({ eventType: type }, { eventType: await newEventType() });
  });

  test("are of the channels that the endpoint asked for", async () => {
    await newEndpoint(app, receiver.url, { channels: ["a", "b"] });

    await arrivesOnly({ eventType: type, channels: ["b", "c"] }, { eventType: type, channels: ["c"] });
  });

  test("go to no endpoint that is disabled", async () => {
    const to = await newEndpoint(app, receiver.url, { disabled: true });
    const missed = await newMessage(app, type);

    await svix.endpoint.patch(app.id, to.id, { disabled: false });

    await delivered();
    assert.ok(!receiver.ids.includes(missed.id));
  });
});

describe("secrets", () => {
  eachInAnApplicationOfItsOwn();

  function newSecret() {
    return `whsec_${randomBytes(24).toString("base64")}`;
  }

  test("are taken as given, or else made", async () => {
    const secret = newSecret();
    const given = await newEndpoint(app, receiver.url, { secret });
    const made = await newEndpoint(app, `${receiver.url}/made`);

    assert.equal(await secretOf(given), secret);
    assert.match(await secretOf(made), /^whsec_[a-zA-Z0-9+/=]{32,100}$/);
    assert.notEqual(await secretOf(made), secret);
  });

  test("sign together for a while after they rotate", async () => {
    const to = await newEndpoint(app, receiver.url);
    const old = await secretOf(to);

    await svix.endpoint.rotateSecret(app.id, to.id);

    assert.notEqual(await secretOf(to), old);
    const request = await delivered();
    verify(old, request);
    verify(await secretOf(to), request);
  });

  test("sign no more where there is no grace", async () => {
    const to = await newEndpoint(app, receiver.url);
    const old = await secretOf(to);
    const key = newSecret();

    await svix.endpoint.rotateSecret(app.id, to.id, { key, gracePeriodSeconds: 0 });

    assert.equal(await secretOf(to), key);
    const request = await delivered();
    verify(key, request);
    assert.throws(() => verify(old, request), WebhookVerificationError);
  });
});
