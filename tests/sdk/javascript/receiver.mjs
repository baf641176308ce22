// A receiver of webhooks: a real server on this machine that keeps every request and answers as it is told.

import { once } from "node:events";
import { createServer } from "node:http";
import { eventually } from "./patience.mjs";

export class Receiver {
  requests = [];

  /** Answers with each of `statuses` in turn, and then always with the last. */
  static async answering(statuses, says) {
    const receiver = new Receiver();
    receiver.answerWith(...statuses);
    receiver.says = says;
    receiver.server = createServer((request, response) => receiver.#take(request, response));
    receiver.server.listen(0, "127.0.0.1");
    await once(receiver.server, "listening");
    receiver.url = `http://127.0.0.1:${receiver.server.address().port}/hook`;
    return receiver;
  }

  answerWith(...statuses) {
    this.statuses = statuses;
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }

  get ids() {
    return this.requests.map((request) => request.headers["webhook-id"]);
  }

  /** The first `count` requests, once they are there. */
  async waitFor(count) {
    await eventually(`request ${count}`, () => this.requests.length >= count);
    return this.requests.slice(0, count);
  }

  /** The first request that carries this message. */
  async waitForMessage({ id }) {
    return await eventually(`a request with ${id}`, () =>
      this.requests.find((request) => request.headers["webhook-id"] === id),
    );
  }

  async #take(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method, url: path, headers } = request;
    this.requests.push({ method, path, headers, body: Buffer.concat(chunks) });
    response.writeHead(this.statuses.length > 1 ? this.statuses.shift() : this.statuses[0]);
    response.end(this.says);
  }
}

/** The three headers that sign a request under this name, and no other. */
export function headersOf(brand, { headers }) {
  const names = ["id", "timestamp", "signature"].map((part) => `${brand}-${part}`);
  return Object.fromEntries(names.map((name) => [name, headers[name]]));
}

/** A URL on this machine where nothing listens. */
export async function urlOfNobody() {
  const held = createServer().listen(0, "127.0.0.1");
  await once(held, "listening");
  const { port } = held.address();
  held.close();
  await once(held, "close");
  return `http://127.0.0.1:${port}/`;
}
