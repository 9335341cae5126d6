/**
 * The rates of the connections between servers, from what each server says of its own.
 *
 * @module
 */
import type { ConnectionInfo } from "../runtime/server/connection.ts";
import { rounded } from "./observed_values.ts";
import type { ObservedConnection } from "./page/page_protocol.ts";

/** The maximum number of connections that the page gets. */
const MAX_CONNECTIONS = 2_000;

/** One server's account of a connection. */
interface Account {
  readonly info: ConnectionInfo;
  /** When it was given, by `performance.now()`. */
  readonly at: number;
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
}

/** What servers said of their connections, by their ids and those of their peers. */
export class ConnectionRates {
  readonly #accounts = new Map<string, ReadonlyMap<string, Account>>();

  /** Takes what a server says of its connections. */
  set(server: string, connections: readonly ConnectionInfo[]): void {
    const before = this.#accounts.get(server);
    const at = performance.now();
    this.#accounts.set(
      server,
      new Map(connections.map((info) => [info.peer, account(info, { at, before })])),
    );
  }

  /** Forgets what a server said. */
  forget(server: string): void {
    this.#accounts.delete(server);
  }

  /**
   * The connections between servers, by their ends: all, or of very many the busiest. Where both
   * ends tell of one, that of the first counts.
   *
   * @param isServer whether an id is that of a server that is shown.
   */
  busiest(
    isServer: (id: string) => boolean,
  ): { connections: Map<string, ObservedConnection>; leftOut: number } {
    const accounts = new Map<string, { a: string; b: string; account: Account }>();
    for (const [server, peers] of this.#accounts) {
      if (!isServer(server)) continue;
      for (const [peer, account] of peers) {
        if (peer === server || !isServer(peer)) continue;
        const [a, b] = server < peer ? [server, peer] : [peer, server];
        const key = `${a}\n${b}`;
        if (server === a || !accounts.has(key)) accounts.set(key, { a, b, account });
      }
    }
    let all = [...accounts];
    const leftOut = Math.max(0, all.length - MAX_CONNECTIONS);
    if (leftOut > 0) {
      all = all.sort(([, one], [, other]) =>
        other.account.messagesPerSecond - one.account.messagesPerSecond
      ).slice(0, MAX_CONNECTIONS);
    }
    const connections = new Map(all.map(([key, { a, b, account }]) => [key, {
      a,
      b,
      kind: account.info.address.kind,
      since: account.info.since,
      messagesPerSecond: account.messagesPerSecond,
      bytesPerSecond: account.bytesPerSecond,
      waiting: account.info.waiting,
    }]));
    return { connections, leftOut };
  }
}

function account(
  info: ConnectionInfo,
  { at, before }: { at: number; before: ReadonlyMap<string, Account> | undefined },
): Account {
  const earlier = before?.get(info.peer);
  // There is no rate yet.
  if (!earlier || earlier.info.since !== info.since) {
    return { info, at, messagesPerSecond: 0, bytesPerSecond: 0 };
  }
  const passed = Math.max(1, at - earlier.at);
  const rate = (of: "messages" | "bytes") =>
    rounded(
      1000 * Math.max(
        0,
        info.received[of] + info.sent[of] - earlier.info.received[of] - earlier.info.sent[of],
      ) / passed,
      2,
    );
  return { info, at, messagesPerSecond: rate("messages"), bytesPerSecond: rate("bytes") };
}
