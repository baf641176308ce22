import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import {
  ANY_URL,
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

const { endpoint } = svix;

describe("endpoints", () => {
  let app;
  beforeEach(async () => {
    app = await newApplication({ uid: unique("acme") });
  });

  async function fullEndpoint() {
    return await newEndpoint(app, `${ANY_URL}full`, {
      description: "The books",
      uid: unique("books"),
      throttleRate: 50,
      eventTypes: [await newEventType()],
      channels: ["project_1"],
      metadata: { team: "finance" },
    });
  }

  test("show what they were given", async () => {
    const wanted = {
      url: "http://127.0.0.1:9/books?of=2026",
      description: "The books",
      uid: unique("books"),
      throttleRate: 50,
      disabled: true,
      eventTypes: [await newEventType()],
      channels: ["project_1"],
      metadata: { team: "finance" },
    };
    const made = await endpoint.create(app.id, wanted);

    assert.match(made.id, /^ep_/);
    const { id, createdAt, updatedAt, ...rest } = made;
    assert.deepEqual(rest, wanted);
    assert.ok(createdAt <= updatedAt && updatedAt <= new Date());
    assert.deepEqual(await endpoint.get(app.id, id), made);
    assert.deepEqual(await endpoint.get(app.uid, made.uid), made);
  });

  test("need no more than a url", async () => {
    const made = await newEndpoint(app);

    assert.deepEqual([made.description, made.disabled, made.metadata], ["", false, {}]);
    assert.deepEqual([made.eventTypes ?? null, made.channels ?? null, made.uid ?? null], [null, null, null]);
  });

  test("do not share a uid", async () => {
    const { uid } = await newEndpoint(app, ANY_URL, { uid: unique("books") });

    await refused(409, "conflict", newEndpoint(app, ANY_URL, { uid }));
  });

  test("may share a url", async () => {
    const receiver = await newReceiver();
    const made = [await newEndpoint(app, receiver.url), await newEndpoint(app, receiver.url)];
    assert.notEqual(made[0].id, made[1].id);

    const message = await newMessage(app, await newEventType());

    await receiver.waitFor(2);
    const attempted = (await attemptsAt(app, message, 2)).map(({ endpointId }) => endpointId);
    assert.deepEqual(attempted.sort(), idsOf({ data: made }).sort());
  });

  test("belong to one application", async () => {
    const made = await newEndpoint(app);
    const other = await newApplication();

    await refused(404, "not_found", endpoint.get(other.id, made.id));
  });

  test("come to be by an upsert", async () => {
    const uid = unique("books");
    const made = await endpoint.upsert(app.id, uid, { url: ANY_URL, uid });

    assert.deepEqual(await endpoint.get(app.id, uid), made);
  });

  test("keep nothing over an upsert but their secret", async () => {
    const made = await fullEndpoint();
    const secret = await endpoint.getSecret(app.id, made.id);

    const after = await endpoint.upsert(app.id, made.id, { url: ANY_URL });

    assert.deepEqual([after.id, after.url, after.description, after.metadata], [made.id, ANY_URL, "", {}]);
    assert.deepEqual([after.uid ?? null, after.throttleRate ?? null], [null, null]);
    assert.deepEqual([after.eventTypes ?? null, after.channels ?? null], [null, null]);
    assert.deepEqual(await endpoint.getSecret(app.id, made.id), secret);
  });

  test("are patched only where the patch says", async () => {
    const made = await fullEndpoint();

    const after = await endpoint.patch(app.id, made.uid, { description: "Other books" });

    assert.deepEqual({ ...after, updatedAt: null }, { ...made, description: "Other books", updatedAt: null });
  });

  test("take new values from a patch", async () => {
    const made = await fullEndpoint();
    const patch = {
      url: `${ANY_URL}moved`,
      uid: unique("books"),
      throttleRate: 7,
      disabled: true,
      eventTypes: [await newEventType()],
      channels: ["project_2"],
      metadata: { team: "sales" },
    };

    const after = await endpoint.patch(app.id, made.id, patch);

    assert.deepEqual({ ...after, updatedAt: null }, { ...made, ...patch, updatedAt: null });
  });

  test("lose what a patch says is null", async () => {
    const made = await fullEndpoint();

    const after = await endpoint.patch(app.id, made.id, {
      uid: null,
      throttleRate: null,
      eventTypes: null,
      channels: null,
    });

    assert.deepEqual([after.uid ?? null, after.throttleRate ?? null], [null, null]);
    assert.deepEqual([after.eventTypes ?? null, after.channels ?? null], [null, null]);
    assert.deepEqual([after.url, after.description, after.metadata], [made.url, made.description, made.metadata]);
  });

  test("are gone once deleted", async () => {
    const made = await newEndpoint(app, ANY_URL, { uid: unique("books") });

    await endpoint.delete(app.id, made.uid);

    await refused(404, "not_found", endpoint.get(app.id, made.id));
    assert.deepEqual((await endpoint.list(app.id)).data, []);
  });
});

describe("headers of an endpoint", () => {
  let app, receiver, to;
  beforeEach(async () => {
    app = await newApplication();
    receiver = await newReceiver();
    to = await newEndpoint(app, receiver.url);
  });

  /** Those that are shown, and the names of those that are not. */
  async function headers() {
    const { headers, sensitive } = await endpoint.getHeaders(app.id, to.id);
    const shown = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
    return [Object.fromEntries(shown), sensitive.map((name) => name.toLowerCase())];
  }

  async function deliveredHeaders() {
    const message = await newMessage(app, await newEventType());
    return (await receiver.waitForMessage(message)).headers;
  }

  test("are sent with every message", async () => {
    assert.deepEqual(await headers(), [{}, []]);

    await endpoint.setHeaders(app.id, to.id, { headers: { shade: "blue", size: "12" } });

    assert.deepEqual(await headers(), [{ shade: "blue", size: "12" }, []]);
    const { shade, size } = await deliveredHeaders();
    assert.deepEqual({ shade, size }, { shade: "blue", size: "12" });
  });

  test("are replaced by those that are set", async () => {
    await endpoint.setHeaders(app.id, to.id, { headers: { shade: "blue", size: "12" } });
    await endpoint.setHeaders(app.id, to.id, { headers: { shade: "red" } });

    const { shade, size } = await deliveredHeaders();
    assert.deepEqual({ shade, size }, { shade: "red", size: undefined });
  });

  test("are not shown where they are a secret", async () => {
    await endpoint.setHeaders(app.id, to.id, { headers: { authorization: "Bearer of news", shade: "blue" } });

    assert.deepEqual(await headers(), [{ shade: "blue" }, ["authorization"]]);
    assert.equal((await deliveredHeaders()).authorization, "Bearer of news");
  });

  test("are patched only where the patch says", async () => {
    await endpoint.setHeaders(app.id, to.id, { headers: { shade: "blue", size: "12" } });

    await endpoint.patchHeaders(app.id, to.id, { headers: { size: "13", shape: "round" } });

    assert.deepEqual(await headers(), [{ shade: "blue", size: "13", shape: "round" }, []]);
  });

  test("go by name, and where they are null", async () => {
    await endpoint.setHeaders(app.id, to.id, { headers: { shade: "blue", size: "12", shape: "round" } });

    await endpoint.patchHeaders(app.id, to.id, { headers: {}, deleteHeaders: ["size"] });
    assert.deepEqual(await headers(), [{ shade: "blue", shape: "round" }, []]);

    await endpoint.patchHeaders(app.id, to.id, { headers: { shape: null } });
    assert.deepEqual(await headers(), [{ shade: "blue" }, []]);
  });
});
