import { beforeEach, describe, test } from "node:test";
import {
  ANY_URL,
  invalid,
  newApplication,
  newEndpoint,
  newEventType,
  newMessage,
  refused,
  svix,
  unique,
} from "./world.mjs";

describe("refusals", () => {
  let app;
  beforeEach(async () => {
    app = await newApplication();
  });

  test("say that there is no such thing", async () => {
    const name = unique("nobody");

    await refused(404, "not_found", svix.application.get(name));
    await refused(404, "not_found", svix.endpoint.get(app.id, name));
    await refused(404, "not_found", svix.eventType.get(name));
    await refused(404, "not_found", svix.message.get(app.id, name));
    await refused(404, "not_found", svix.messageAttempt.listByMsg(app.id, name));
    await refused(404, "not_found", svix.messageAttempt.listByEndpoint(app.id, name));
  });

  test("name the place that is wrong", async () => {
    await invalid("body.name", svix.application.create({ name: "" }));
    await invalid("body.uid.__all__", newApplication({ uid: "with a space" }));
    await invalid("body.url", newEndpoint(app, "no url"));
    await invalid("body.key.__all__", newEndpoint(app, ANY_URL, { secret: "whsec_tooshort" }));
    await invalid("body.event_type.__all__", newMessage(app, "with a space"));
    await invalid("query.limit.limit", svix.message.list(app.id, { limit: 251 }));
  });

  test("set a limit to payloads", async () => {
    const payload = { text: "a".repeat(3 * 1024 * 1024) };

    await refused(413, "payload_too_large", newMessage(app, await newEventType(), { payload }));
  });
});
