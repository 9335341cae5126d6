/**
 * The contestants in Deno: two servers of an ensemble, and two bare sockets.
 *
 * @module
 */
import { ActorRef } from "../../runtime/actor/references.ts";
import { ActorServer } from "../../runtime/server/actor_server.ts";
import { parseAddresses } from "../../runtime/wire/address.ts";
import { makeCertificates, readCredentials } from "./certificates.ts";
import { Contestant } from "./contestant.ts";
import { type Figures, ONE_WAY, PAYLOAD, timeOutstanding, timeRoundTrips } from "./workload.ts";

const PEER = new URL("./echo_peer.ts", import.meta.url).pathname;

/** Measures two servers in two processes, over a UNIX socket in a directory. */
export function measureEnsemble(directory: string): Promise<Figures> {
  return measureServers("ensemble", directory);
}

/** Measures two servers in two processes, over TLS on the loopback interface. */
export async function measureTls(directory: string): Promise<Figures> {
  await makeCertificates(directory, ["peer", "bench"]);
  return await measureServers("tls", directory);
}

async function measureServers(kind: "ensemble" | "tls", directory: string): Promise<Figures> {
  await using peer = await startPeer(kind, directory);
  const id = "peer";
  const self = "bench";
  const server = await ActorServer.start({
    id: self,
    cookie: new Uint8Array(32),
    tls: kind === "tls" ? await readCredentials(directory, self) : undefined,
    listen: [],
    registry: [],
    roles: [],
    register: false,
  });
  await server.connect(id, parseAddresses(peer.text.split(" ")[1]!));
  const { actors } = server;
  const ref = new ActorRef(id, "bench");
  const roundTrip = () => actors.ask(ref, { type: "echo", payload: PAYLOAD });
  const figures = {
    roundTrip: await timeRoundTrips(roundTrip),
    outstanding: await timeOutstanding(roundTrip),
    oneWay: await timeOneWay(),
  };
  await server.stop();
  return figures;

  async function timeOneWay(): Promise<number> {
    const start = performance.now();
    for (let i = 0; i < ONE_WAY; i++) {
      actors.tell(ref, { type: "count", payload: PAYLOAD });
      if (server.congested(id)) await server.drained(id);
    }
    const received = await actors.ask(ref, { type: "received" }, { timeout: 60_000 });
    if (received !== ONE_WAY) throw new Error(`${received} of ${ONE_WAY} messages arrived`);
    return ONE_WAY / (performance.now() - start) * 1000;
  }
}

/** Measures round trips of 64 bytes between two processes over a bare UNIX socket. */
export async function measureSocket(directory: string): Promise<Figures> {
  const path = `${directory}/raw`;
  await using _peer = await startPeer("raw", path);
  using connection = await Deno.connect({ transport: "unix", path });
  const bytes = new Uint8Array(64);
  return {
    roundTrip: await timeRoundTrips(async () => {
      await connection.write(bytes);
      await connection.read(bytes);
    }),
  };
}

function startPeer(kind: string, place: string): Promise<Contestant> {
  const args = ["run", "-A", PEER, kind, place];
  return Contestant.start(Deno.execPath(), args, { ready: "ready" });
}
