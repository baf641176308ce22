import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { client } from "./server.mjs";
import { ANY_URL, idsOf, newApplication, newEventType, newMessage, refused, svix, unique } from "./world.mjs";

describe("tokens", () => {
  test("that are unknown are refused", async () => {
    await refused(401, "authentication_failed", client(`fp_${"0".repeat(40)}`).application.list());
  });

  test("are never logged out", async () => {
    await refused(501, "not_implemented", svix.authentication.logout());
  });
});

describe("tokens of an application", () => {
  let app, access, customer;
  beforeEach(async () => {
    app = await newApplication({ uid: unique("acme") });
    access = await svix.authentication.appPortalAccess(app.uid);
    customer = client(access.token);
  });

  test("come with a url", () => {
    assert.ok(access.token);
    assert.match(new URL(access.url).protocol, /^https?:$/);
  });

  test("serve their application", async () => {
    assert.deepEqual(await customer.application.get(app.id), app);
    const made = await customer.endpoint.create(app.uid, { url: ANY_URL });
    assert.deepEqual(idsOf(await customer.endpoint.list(app.id)), [made.id]);
    const message = await newMessage(app, await newEventType());
    assert.deepEqual(idsOf(await customer.message.list(app.id)), [message.id]);
  });

  test("do not know other applications", async () => {
    const other = await newApplication();

    await refused(404, "not_found", customer.application.get(other.id));
    await refused(404, "not_found", customer.endpoint.list(other.id));
    await refused(404, "not_found", customer.message.list(other.id));
  });

  test("do nothing that is for the organization", async () => {
    const eventType = await newEventType();

    await refused(403, "insufficient access", customer.application.list());
    await refused(403, "insufficient access", customer.application.create({ name: "Mine" }));
    await refused(403, "insufficient access", customer.authentication.appPortalAccess(app.id));
    await refused(403, "insufficient access", customer.eventType.delete(eventType));
    await refused(403, "insufficient access", customer.message.create(app.id, { eventType, payload: {} }));
  });

  test("bring their application with them", async () => {
    const application = { name: "New", uid: unique("new") };

    const { token } = await svix.authentication.appPortalAccess(application.uid, { application });

    assert.equal((await client(token).application.get(application.uid)).name, "New");
  });
});
