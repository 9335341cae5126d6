/**
 * Actor ensembles for Deno: servers in many processes and on many hosts that find each other by
 * name, exchange messages, and are managed with the command `gxensemble`.
 *
 * | to | use |
 * |---|---|
 * | run a program as a server, or start a client | {@linkcode runServer}, {@linkcode startServer} |
 * | answer requests | {@linkcode ActorServer.serve}, {@linkcode HandlerContext} |
 * | find servers, and call their services | {@linkcode EnsembleServer.lookup}, {@linkcode EnsembleServer.client} |
 * | write an actor by hand | {@linkcode ActorServer.spawn}, {@linkcode Actor.receive}, {@linkcode on} |
 * | monitor an actor or a server | {@linkcode Actor.monitor}, {@linkcode onDown} |
 * | operate another server | {@linkcode EnsembleServer.remote}, {@linkcode loadFile} |
 * | handle an error | {@linkcode EnsembleError}, {@linkcode ErrorCode} |
 *
 * All servers of an ensemble share a secret, the cookie, which `gxensemble cookie` makes. One
 * server is the registry, which `gxensemble registry` starts. {@linkcode
 * StartServerOptions.registry} describes how servers find it.
 *
 * Tests start an ensemble in their own process with `@gxensemble/ensemble/testing`.
 * `@gxensemble/ensemble/certificates` issues certificates for TLS.
 *
 * @example A server with a service
 * ```ts
 * import { runServer } from "@gxensemble/ensemble";
 *
 * let total = 0;
 * const counter = { add: ({ amount }: { amount: number }) => total += amount };
 * export type Counter = typeof counter;
 *
 * await runServer("counter1", async (server) => {
 *   server.serve("counter", counter);
 *   await server.stopped;
 * }, { roles: ["counter"] });
 * ```
 *
 * @example Another server that calls it
 * ```ts
 * import { startServer } from "@gxensemble/ensemble";
 *
 * type Counter = { add(request: { amount: number }): number };
 *
 * await using server = await startServer("client1");
 * const [found] = await server.lookup({ role: "counter" });
 * if (found) {
 *   const counter = server.client<Counter>(`counter@${found.id}`);
 *   console.log(await counter.add({ amount: 3 }));
 * }
 * ```
 *
 * @module
 */
import "./runtime/require_deno.ts";
import * as runtime from "./mod.ts";
import { provideRuntime } from "./runtime/ensemble/ensemble_server.ts";

provideRuntime(() => Promise.resolve(runtime));

export {
  ActorError,
  DisconnectedError,
  EnsembleError,
  type ErrorCode,
  InvalidInputError,
  NotAuthorizedError,
  TimeoutError,
} from "./runtime/errors.ts";
export { ActorRef } from "./runtime/actor/references.ts";
export {
  type AskOptions,
  type Destination,
  Envelope,
  type TellOptions,
} from "./runtime/actor/messaging.ts";
export type { Case, MailboxOptions } from "./runtime/actor/mailbox.ts";
export {
  ActorExit,
  on,
  onDown,
  onPing,
  onReply,
  onShutdown,
  onUnexpected,
} from "./runtime/actor/cases.ts";
export { Actor } from "./runtime/actor/actor.ts";
export type { SpawnOptions } from "./runtime/actor/spawn_options.ts";
export type { Down } from "./runtime/actor/monitors.ts";
export { type Tick, Ticker } from "./runtime/actor/time.ts";
export { HandlerContext } from "./runtime/actor/handler_context.ts";
export type { Client, Handlers, HandlersOf, ServeOptions } from "./runtime/actor/service.ts";
export type { ChildInfo, ChildSpec, SupervisorOptions } from "./runtime/actor/supervision.ts";
export { Supervisor } from "./runtime/actor/supervisor.ts";
export type { ActorServer } from "./runtime/server/actor_server.ts";
export type { CertificateTexts } from "./runtime/pki/certificates.ts";
export { EnsembleServer } from "./runtime/ensemble/ensemble_server.ts";
export { currentServer } from "./runtime/ensemble/process_servers.ts";
export { startServer } from "./runtime/ensemble/start_server.ts";
export type { StartServerOptions } from "./runtime/ensemble/start_options.ts";
export type { LogOptions } from "./runtime/home/log_options.ts";
export { runProgram } from "./cli/executables/run_program.ts";
export { runServer } from "./runtime/ensemble/run_server.ts";
export type { ServerStatus } from "./runtime/observation/status_protocol.ts";
export type { ServerHealth } from "./runtime/observation/health_checks.ts";
export type { ServerInfo } from "./runtime/ensemble/server_info.ts";
export type { GroupReply } from "./runtime/ensemble/groups.ts";
export type { ServerChange } from "./runtime/ensemble/server_change.ts";
export type { ServerState } from "./runtime/server/registry_protocol.ts";
export { RemoteServer } from "./runtime/ensemble/remote_server.ts";
export { type LoadedFile, loadFile, type LoadFileOptions } from "./cli/modules/load_file.ts";
